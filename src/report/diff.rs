//! What changed in a text, as `diff -u` shows it.

/// Lines of the old text around a change.
const AROUND: usize = 2;

/// One line of both texts put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The changed lines with some around them, each with its sign; empty where nothing changed.
#[must_use]
pub fn unified(old: &str, new: &str) -> Vec<String> {
    let lines = together(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
    let is_near = |index: usize| {
        let (from, to) = (index.saturating_sub(AROUND), (index + AROUND + 1).min(lines.len()));
        lines[from..to].iter().any(|line| !matches!(line, Line::Same(_)))
    };
    let (mut shown, mut number, mut last) = (Vec::new(), 0, None);
    for (index, line) in lines.iter().enumerate() {
        if !matches!(line, Line::New(_)) {
            number += 1;
        }
        if !is_near(index) {
            continue;
        }
        if last.is_none_or(|last: usize| last + 1 != index) {
            shown.push(format!("@@ line {} @@", number.max(1)));
        }
        last = Some(index);
        shown.push(match line {
            Line::Same(text) => format!(" {text}"),
            Line::Gone(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
        });
    }
    shown
}

/// Both texts put together, by their longest common lines between equal ends.
fn together<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let start = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let end =
        old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let (left, right) = (&old_rest[..old_rest.len() - end], &new_rest[..new_rest.len() - end]);
    // How many lines are common from here on.
    let mut common = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for (i, one) in left.iter().enumerate().rev() {
        for (j, other) in right.iter().enumerate().rev() {
            common[i][j] =
                if one == other { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let mut lines: Vec<Line<'_>> = old[..start].iter().map(|line| Line::Same(line)).collect();
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            lines.push(Line::Same(left[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < left.len() && (j == right.len() || common[i + 1][j] >= common[i][j + 1]) {
            lines.push(Line::Gone(left[i]));
            i += 1;
        } else {
            lines.push(Line::New(right[j]));
            j += 1;
        }
    }
    lines.extend(old[old.len() - end..].iter().map(|line| Line::Same(line)));
    lines
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn only_what_changed_is_shown_with_a_little_around_it() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = "a\nb\nc\nD\ne\nf\ng\nh\ni\n";
        let shown = unified(old, new);
        let wanted = ["@@ line 2 @@", " b", " c", "-d", "+D", " e", " f", " g", " h", "+i"];
        assert_eq!(shown, wanted);
        assert!(unified(old, old).is_empty());
        assert_eq!(unified("", "x\n"), ["@@ line 1 @@", "+x"]);
    }

    #[test]
    fn changes_far_apart_stand_apart() {
        let old: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
        let mut new = old.clone();
        new.insert(2, "new".to_owned());
        new.remove(18);
        let shown = unified(&old.join("\n"), &new.join("\n"));
        assert_eq!(shown.iter().filter(|line| line.starts_with('@')).count(), 2);
        assert_eq!(shown.iter().filter(|line| line.starts_with(['+', '-'])).count(), 2);
    }
}
