//! A guarded command: plan, inspect, judge, then block, ask or hand over to docker.

use tokio::io::AsyncReadExt as _;

use super::{
    app::{App, Failure},
    check::plain_document,
    evidence,
    prompt::{self, Choice, Offers},
    protect::Kept,
    remote, save,
    shell_init::VARIABLE,
};
use crate::{
    act::{events::Watch, handover, prune},
    cancel::Cancellation,
    exit::Exit,
    inspect::{Counter, Depth},
    judge::{self, Judgement, loss_name},
    model::{
        coverage::CoverageStatus,
        evidence::{Evidence, Location, Presence, TargetKind, TargetRef},
        journal::Event,
        operation::{Operation, Prune, UpKind},
        plan::{Fate, Plan},
        policy::{AcceptLoss, OnSurvivors},
        verdict::{Finding, Severity, Verdict},
    },
    plan::{
        self, ComposeSource,
        parse::{Format, Parsed},
    },
    report::{
        document::{Document, SCHEMA_VERSION, Who, plan_rows},
        text,
        words::{self, quoted},
    },
    settings::{Settings, place},
    store::codes,
    ui::{Paint, clean},
};

/// A compose file longer than this was written by nobody.
const LONGEST_FILE: u64 = 1 << 24;

/// Services that a block offers to move, one a line.
const MOST_MOVABLE: usize = 3;

/// Everything that was found out about one command.
struct Case<'a> {
    app: &'a App,
    parsed: &'a Parsed,
    /// The command as the person typed it, without our own flags: `docker dbsafe down -v`.
    shown: String,
    plan: Plan,
    evidence: Vec<Evidence>,
    judgement: Judgement,
    snapshots: Vec<String>,
    /// What of it no flag lets go.
    kept: Vec<TargetRef>,
    /// What we read of standard input, for compose to read again.
    input: Option<Vec<u8>>,
}

/// Guards one docker command.
///
/// # Errors
/// Where dbsafe cannot do its work; nothing was destroyed then.
pub async fn run(app: &App, parsed: &Parsed) -> Result<Exit, Failure> {
    if let Operation::Harmless { why } = &parsed.operation {
        if parsed.own.plan {
            match parsed.own.format {
                Format::Text => app.ui.print(&format!("  {why}\n")),
                Format::Json => {
                    let document = plain_document(&parsed.docker_arguments, Verdict::Allow, None);
                    app.ui.print(&format!("{document:#}\n"));
                }
            }
            return Ok(Exit::Done);
        }
        return run_it(app, parsed, None).await;
    }
    let (mut case, settings, model) = judged(app, parsed, CarriedOutBy::Us).await?;
    for note in settings.notes(&case.evidence, &parsed.own.accept_loss) {
        app.ui.note(&note);
    }
    if parsed.own.plan {
        return Ok(case.show_plan().await);
    }
    case.journal(Event::Verdict, case.judgement.verdict.name());
    if !case.kept.is_empty() {
        return Ok(case.kept_from_removal().await);
    }
    let save = match case.judgement.verdict {
        // Asked for in so many words: a covered database is saved, too.
        Verdict::Allow | Verdict::Warn => parsed.own.snapshot && case.takes_data(),
        Verdict::Block | Verdict::Undetermined
            if parsed.own.snapshot && case.plan.undetermined.is_empty() =>
        {
            true
        }
        Verdict::Block | Verdict::Undetermined if case.is_allowed_by_code()? => {
            let names = case.at_risk().iter().map(|seen| loss_name(seen).to_owned()).collect();
            app.journal(Event::Override, &parsed.docker_arguments, names, "a one-time code");
            false
        }
        Verdict::Block | Verdict::Undetermined => match case.blocked(&settings).await? {
            Decision::End(exit) => return Ok(exit),
            Decision::Save => true,
            Decision::Lose => {
                let names = case.at_risk().iter().map(|seen| loss_name(seen).to_owned()).collect();
                app.journal(Event::Override, &parsed.docker_arguments, names, "typed at the prompt");
                false
            }
        },
    };
    for (name, why) in case.let_go() {
        app.journal(Event::Override, &parsed.docker_arguments, vec![name], &why);
    }
    if !save {
        case.warn();
        case.check_again(&model, Strictness::Same).await?;
        let watch = Watch::start(&app.engine).await;
        return case.hand_over(watch).await;
    }
    let store = save::sealing(app, &save::open_store(app)?, &settings)?;
    let taken = save::save(app, parsed, &case.plan, &case.evidence, &store).await?;
    case.snapshots.push(taken.stored.manifest.id.clone());
    case.journal(Event::Snapshot, &taken.stored.manifest.id);
    // From here on a failure must start again what was stopped.
    let at = app.now();
    let ready = match case.check_again(&model, Strictness::NothingNew).await {
        Ok(()) => save::remember(&store, &taken, at, None),
        Err(failure) => Err(failure),
    };
    // Before and not after: from the next line on, nobody puts back what ran should we be killed.
    let watch = Watch::start(&app.engine).await;
    taken.hand_over();
    let handed_over = match ready {
        Ok(()) => case.hand_over(watch).await,
        Err(failure) => Err(failure),
    };
    match handed_over {
        Ok(exit) if exit.status() == 0 => {
            let remembered = save::remember(&store, &taken, at, Some(0));
            let stored = taken.leave();
            if let Err(failure) = remembered {
                app.ui.note(&failure.sentence);
            }
            app.ui.say("take the command back   docker dbsafe undo");
            // After the command, which need not wait for it: nothing is lost should it fail.
            remote::after_snapshot(app, &store, &stored, None).await;
            Ok(exit)
        }
        other => {
            if let Ok(exit) = &other
                && let Err(failure) = save::remember(&store, &taken, at, Some(exit.status()))
            {
                app.ui.note(&failure.sentence);
            }
            let stored = taken.stored.clone();
            for sentence in taken.resume().await {
                app.ui.note(&sentence);
            }
            remote::after_snapshot(app, &store, &stored, None).await;
            other
        }
    }
}

/// Plans, looks and judges; changes nothing.
async fn judged<'a>(
    app: &'a App,
    parsed: &'a Parsed,
    by: CarriedOutBy,
) -> Result<(Case<'a>, Settings, ComposeSource), Failure> {
    let memory = place::home(&app.environment).map(|home| home.join("cache/compose.json"));
    let model = ComposeSource::new(app.docker.clone(), app.environment.clone(), memory)
        .by_itself(parsed.own.docker_compose);
    let input = compose_file(app, parsed).await?;
    let model = match &input {
        Some(text) => model.with_input(text.clone()),
        None => model,
    };
    let kept = Kept::load(app)?;
    let mut plan = plan::plan(&parsed.operation, &app.engine, &model).await?;
    if by == CarriedOutBy::Us {
        for name in spare(app, parsed, &kept, &mut plan)? {
            app.ui.note(&format!("{} is protected and stays", clean(&name)));
        }
    }
    let kept = kept.in_the_way(&plan);
    let settings = Settings::load_for(app, &plan)?;
    let evidence = evidence::gather(app, &settings, &plan, Depth::Threatened, &Counter::default()).await;
    let accepted = parsed.own.accept_loss.as_slice();
    // Where nothing goes, as in a stop, a word about what stays would be one every day.
    let takes = !plan.losses().is_empty();
    let mut judgement = judge::judge(&plan, &evidence, |seen| {
        let mut stance = settings.stance(&plan, seen, accepted);
        if !takes && stance.on_survivors == OnSurvivors::Warn {
            stance.on_survivors = OnSurvivors::Ignore;
        }
        stance
    });
    for target in &kept {
        judgement.verdict = Verdict::Block;
        judgement.findings.push(protected(target));
    }
    let shown = shown(parsed, app);
    let case = Case { app, parsed, shown, plan, evidence, judgement, snapshots: Vec::new(), kept, input };
    Ok((case, settings, model))
}

/// Who runs a prune that is let through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CarriedOutBy {
    Us,
    Docker,
}

/// Takes out of a prune that is our own list what docker's configuration or a protection spares; returns the names of
/// what is protected.
fn spare(app: &App, parsed: &Parsed, kept: &Kept, plan: &mut Plan) -> Result<Vec<String>, Failure> {
    match &parsed.operation {
        Operation::Prune(prune) if is_listed(app, prune)? => {
            plan.drop_possible();
            Ok(kept.spare(plan))
        }
        _ => Ok(Vec::new()),
    }
}

/// How long a one-time code is good.
const CODE_MINUTES: i64 = 10;

/// Lets a person say yes to a removal that somebody without a terminal will ask for: prints a code that is bound to
/// these objects and this verdict.
///
/// # Errors
/// Where there is no terminal, the command cannot be judged, or the code cannot be remembered.
pub async fn allow(app: &App, parsed: &Parsed) -> Result<Exit, Failure> {
    if let Operation::Harmless { .. } = parsed.operation {
        app.ui.say("it goes through without a code");
        return Ok(Exit::Done);
    }
    let (case, settings, _) = judged(app, parsed, CarriedOutBy::Us).await?;
    if !case.kept.is_empty() {
        return Ok(case.kept_from_removal().await);
    }
    if matches!(case.judgement.verdict, Verdict::Allow | Verdict::Warn) {
        app.ui.say("it goes through without a code");
        return Ok(Exit::Done);
    }
    case.explain_block();
    let at_risk = case.at_risk();
    let refused = at_risk.iter().any(|seen| settings.accept_loss(&case.plan, seen) == AcceptLoss::Never);
    if refused || !case.plan.undetermined.is_empty() || !app.ui.interactive {
        let why =
            if app.ui.interactive { "no code can let it go" } else { "a code takes a person on a terminal" };
        return Err(Failure { exit: case.block_exit(), ..Failure::new(why) });
    }
    let names: Vec<String> = at_risk.iter().map(|seen| loss_name(seen).to_owned()).collect();
    if !prompt::all_typed(&app.ui, &names)? {
        return Ok(Exit::Declined);
    }
    let home = place::home(&app.environment).ok_or_else(|| Failure::new("there is no folder for codes"))?;
    let code = random_code().map_err(|error| Failure::new(format!("no code can be made: {error}")))?;
    let (now, bound) = (app.now(), case.binding());
    let expires = now + jiff::SignedDuration::from_mins(CODE_MINUTES);
    codes::add(&home, &code, bound, expires, now).map_err(|error| save::failed(&error))?;
    app.journal(Event::Override, &parsed.docker_arguments, names, "a one-time code was given");
    let words: Vec<String> = parsed.docker_arguments.iter().map(|word| quoted(word)).collect();
    app.ui.say(&format!("good once, for {CODE_MINUTES} minutes, for these objects:"));
    app.ui.print(&format!("docker dbsafe guard --code {code} -- {}\n", words.join(" ")));
    Ok(Exit::Done)
}

/// Eighty random bits in letters and digits.
fn random_code() -> std::io::Result<String> {
    use std::io::Read as _;
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// Whether a prune is carried out as our own list.
fn is_listed(app: &App, prune: &Prune) -> Result<bool, Failure> {
    let configured = app.docker.config(&app.environment)?.prune_filters.unwrap_or_default();
    Ok(prune::is_listed(prune, &configured))
}

/// What a removal of something protected is told.
fn protected(target: &TargetRef) -> Finding {
    Finding {
        id: "protected".to_owned(),
        severity: Severity::Critical,
        target: target.clone(),
        path: String::new(),
        message: "it is protected, and no flag lets it go".to_owned(),
        remedy: Some(format!("docker dbsafe unprotect {}", quoted(&target.name))),
        suppressed: None,
    }
}

/// Judges a command and prints the verdict as JSON. Nothing is run, saved or asked.
///
/// # Errors
/// Where it cannot be judged.
pub async fn check(app: &App, parsed: &Parsed) -> Result<Exit, Failure> {
    let (case, ..) = judged(app, parsed, CarriedOutBy::Docker).await?;
    let exit = match case.judgement.verdict {
        Verdict::Allow | Verdict::Warn => Exit::Done,
        Verdict::Block | Verdict::Undetermined => case.block_exit(),
    };
    case.journal(Event::Verdict, &format!("{} (only checked)", case.judgement.verdict.name()));
    case.print_document(exit).await;
    Ok(exit)
}

/// What a block came to.
enum Decision {
    End(Exit),
    Save,
    Lose,
}

/// How alike the second look must be to the first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// Nothing came, went or changed its state.
    Same,
    /// Nothing more goes than was judged: after our own stop, states have changed.
    NothingNew,
}

/// Completes when something cancels while the command is still ours: once docker has it, docker decides.
pub async fn before_hand_over(cancellation: &Cancellation) {
    cancellation.cancelled().await;
    if cancellation.is_handed_over() {
        std::future::pending::<()>().await;
    }
}

/// Starts what was asked for: docker, or `docker-compose`.
async fn run_it(app: &App, parsed: &Parsed, input: Option<Vec<u8>>) -> Result<Exit, Failure> {
    let (arguments, cancellation) = (&parsed.docker_arguments, &app.cancellation);
    if parsed.own.docker_compose {
        let compose = app.docker.docker_compose(&app.environment)?;
        return Ok(handover::run_docker_compose(&compose, &arguments[1..], input, cancellation).await?);
    }
    Ok(match input {
        Some(input) => handover::run_docker_with_input(&app.docker, arguments, input, cancellation).await?,
        None => handover::run_docker(&app.docker, arguments, cancellation).await?,
    })
}

/// A compose file from standard input, which can be read only once: for the plan and for compose itself.
async fn compose_file(app: &App, parsed: &Parsed) -> Result<Option<Vec<u8>>, Failure> {
    if !plan::reads_input(&parsed.operation, &app.environment) {
        return Ok(None);
    }
    let mut text = Vec::new();
    let mut input = tokio::io::stdin().take(LONGEST_FILE + 1);
    let read = input.read_to_end(&mut text).await;
    read.map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(Failure::usage("the compose file from standard input is too long"));
    }
    Ok(Some(text))
}

/// The command to show in hints: as it was typed, for the same engine. The functions of `shell-init` take our flags
/// behind docker's own name.
fn shown(parsed: &Parsed, app: &App) -> String {
    let globals = app.globals.arguments.iter().map(|word| quoted(&word.to_string_lossy()));
    if parsed.own.docker_compose {
        let typed = parsed.typed.iter().position(|word| word == "--").map_or(0, |dashes| dashes + 1);
        let words = globals.chain(parsed.typed[typed..].iter().map(|word| quoted(word)));
        let door = if is_as_typed(parsed, app) {
            "docker-compose"
        } else {
            "docker dbsafe guard --docker-compose --"
        };
        return std::iter::once(door.to_owned()).chain(words).collect::<Vec<_>>().join(" ");
    }
    let mut words: Vec<String> = std::iter::once("docker".to_owned()).chain(globals).collect();
    if is_as_typed(parsed, app) {
        let behind = parsed.typed.iter().skip_while(|word| *word != "--").skip(1);
        words.extend(behind.map(|word| quoted(word)));
    } else {
        words.push("dbsafe".to_owned());
        words.extend(parsed.typed.iter().map(|word| quoted(word)));
    }
    words.join(" ")
}

/// Whether a person typed `docker …` itself, and the shell's function sent it here. A command that we do not know
/// has no place for our flags.
fn is_as_typed(parsed: &Parsed, app: &App) -> bool {
    parsed.is_guard_door
        && app.environment.get(VARIABLE).is_some()
        && !matches!(parsed.operation, Operation::Unjudged { .. })
}

impl Case<'_> {
    /// What blocks: the evidence of findings that nobody accepted.
    fn at_risk(&self) -> Vec<&Evidence> {
        let blocks = |evidence: &&Evidence| {
            let own = self.judgement.findings.iter().filter(|finding| judge::is_about(finding, evidence));
            own.into_iter().any(|finding| finding.severity >= Severity::High && finding.suppressed.is_none())
        };
        self.evidence.iter().filter(blocks).collect()
    }

    /// Notes what happened to this command, with the names of what it takes.
    fn journal(&self, event: Event, outcome: &str) {
        self.app.journal(event, &self.parsed.docker_arguments, self.plan.names_of_losses(), outcome);
    }

    /// What is at risk and may go all the same, by name, and why.
    fn let_go(&self) -> Vec<(String, String)> {
        let findings = self.judgement.findings.iter().filter(|finding| finding.severity >= Severity::High);
        findings.filter_map(|f| Some((f.target.name.clone(), f.suppressed.clone()?))).collect()
    }

    /// What a one-time code for this command is bound to.
    fn binding(&self) -> String {
        codes::binding(self.judgement.verdict.name(), self.plan.losses().iter())
    }

    /// Whether `--code` is a person's yes to just this. A code that is not is said to be none.
    fn is_allowed_by_code(&self) -> Result<bool, Failure> {
        let Some(code) = &self.parsed.own.code else { return Ok(false) };
        let Some(home) = place::home(&self.app.environment) else { return Ok(false) };
        let good = codes::take(&home, code, &self.binding(), self.app.now());
        let good = good.map_err(|error| save::failed(&error))? && self.plan.undetermined.is_empty();
        if !good {
            self.app.ui.note("the code is not good for this: used, too old, or given for something else");
        }
        Ok(good)
    }

    /// Says what is protected; nothing but its own name, typed, helps.
    async fn kept_from_removal(&self) -> Exit {
        if self.parsed.own.format == Format::Json {
            self.print_document(Exit::Blocked).await;
            return Exit::Blocked;
        }
        let ui = &self.app.ui;
        for target in &self.kept {
            let (name, blocked) = (clean(&target.name), ui.paint(Paint::Danger, "blocked:"));
            ui.say(&format!("{blocked} {name} is protected, and no flag lets it go"));
            ui.say(&format!("  let it be removed   docker dbsafe unprotect {}", quoted(&target.name)));
        }
        Exit::Blocked
    }

    /// Whether data goes, at risk or not.
    fn takes_data(&self) -> bool {
        let goes = |seen: &Evidence| seen.presence == Presence::Found && seen.fate >= Fate::Detached;
        self.evidence.iter().any(goes)
    }

    /// The headline of a block.
    fn headline(&self) -> String {
        let command = self.parsed.operation.name();
        let at_risk = self.at_risk();
        let certain = at_risk.iter().any(|e| e.presence == Presence::Found);
        let stale = at_risk.iter().any(|e| e.coverage.status == CoverageStatus::Stale);
        let line = match (certain, stale) {
            (true, false) => format!("{command} would destroy data that exists nowhere else"),
            (true, true) => format!("{command} would destroy data that has no recent backup"),
            (false, _) => format!("{command} might destroy data: not everything could be looked into"),
        };
        self.app.ui.paint(Paint::Danger, &line)
    }

    /// Whether a snapshot can help: something was seen, and what the command does is known.
    fn can_save(&self) -> bool {
        self.plan.undetermined.is_empty()
            && self.at_risk().iter().any(|seen| seen.presence == Presence::Found)
    }

    /// Commands that go on, for a person or a program to copy.
    fn ways_on(&self) -> Vec<(String, String)> {
        let mut ways = Vec::new();
        let at_risk = self.at_risk();
        if self.can_save() {
            ways.push(("save it, then go on".to_owned(), self.with_flags("--snapshot")));
        }
        for service in self.movable() {
            let globals = self.app.globals.arguments.iter().map(|word| quoted(&word.to_string_lossy()));
            let words = std::iter::once("docker".to_owned()).chain(globals);
            let words = words.chain(["dbsafe".to_owned(), "migrate".to_owned(), quoted(&service)]);
            ways.push(("move it to a volume".to_owned(), words.collect::<Vec<_>>().join(" ")));
        }
        ways.push(("see everything".to_owned(), self.with_flags("--plan")));
        let mut names: Vec<&str> = at_risk.iter().map(|evidence| loss_name(evidence)).collect();
        names.sort_unstable();
        names.dedup();
        if self.plan.undetermined.is_empty() {
            let flags: Vec<String> =
                names.iter().map(|name| format!("--accept-loss {}", quoted(name))).collect();
            ways.push(("lose it".to_owned(), self.with_flags(&flags.join(" "))));
        } else {
            let globals = self.app.globals.arguments.iter().map(|word| word.to_string_lossy().into_owned());
            let old = self.parsed.own.docker_compose;
            let words = globals.chain(self.parsed.docker_arguments.iter().skip(usize::from(old)).cloned());
            let words: Vec<String> = words.map(|word| quoted(&word)).collect();
            let program = if old { "docker-compose" } else { "docker" };
            let docker = match self.app.environment.text(VARIABLE).as_deref() {
                None => program.to_owned(),
                Some("powershell") => format!("& (Get-Command {program} -CommandType Application)[0]"),
                Some(_) => format!("command {program}"),
            };
            ways.push(("go around dbsafe".to_owned(), format!("{docker} {}", words.join(" "))));
        }
        ways
    }

    /// The services of one container each whose data can be moved into a volume.
    fn movable(&self) -> Vec<String> {
        let mut services: Vec<(String, String, String)> = Vec::new();
        for seen in self.at_risk() {
            let lost = matches!(seen.location, Location::WritableLayer | Location::AnonymousVolume);
            let target = &seen.target;
            let (true, true, Some(project), Some(service)) =
                (lost, seen.engine.is_some(), &target.project, &target.service)
            else {
                continue;
            };
            let new = (project.clone(), service.clone(), target.id.clone());
            if target.kind == TargetKind::Container && !services.contains(&new) {
                services.push(new);
            }
        }
        let alone = |(project, service, _): &&(String, String, String)| {
            services.iter().filter(|(other, name, _)| (other, name) == (project, service)).count() == 1
        };
        let mut names: Vec<String> = services.iter().filter(alone).map(|(_, name, _)| name.clone()).collect();
        names.dedup();
        names.truncate(MOST_MOVABLE);
        names
    }

    /// The typed command with flags of ours, before a `--` where there is one.
    fn with_flags(&self, flags: &str) -> String {
        let runs = matches!(&self.parsed.operation, Operation::ComposeUp(up) if up.how == UpKind::Run);
        if self.parsed.is_guard_door && !is_as_typed(self.parsed, self.app) {
            return self.shown.replacen(" dbsafe guard ", &format!(" dbsafe guard {flags} "), 1);
        }
        if runs {
            // Behind the service stands what runs in its container.
            let name = if self.parsed.own.docker_compose { "docker-compose " } else { " compose " };
            return self.shown.replacen(name, &format!("{name}{flags} "), 1);
        }
        match self.shown.split_once(" -- ") {
            Some((before, after)) => format!("{before} {flags} -- {after}"),
            None => format!("{} {flags}", self.shown),
        }
    }

    fn explain_block(&self) {
        let ui = &self.app.ui;
        ui.say(&format!("{}\n", self.headline()));
        let at_risk = self.at_risk();
        if !at_risk.is_empty() {
            ui.say(&text::paragraphs(&at_risk, self.app.now(), ui));
        }
        for cause in &self.plan.undetermined {
            let lines = text::wrap(&format!("not known: {}", clean(cause)), ui.width.saturating_sub(4));
            ui.say(&format!("  {}\n", lines.join("\n    ")));
        }
    }

    /// Blocks, or lets a person choose.
    async fn blocked(&self, settings: &Settings) -> Result<Decision, Failure> {
        let ui = self.app.ui;
        if self.parsed.own.format == Format::Json {
            let exit = self.block_exit();
            self.print_document(exit).await;
            return Ok(Decision::End(exit));
        }
        self.explain_block();
        if self.can_save() {
            save::warn_of_undo(self.app, settings);
        }
        if !ui.interactive || !self.plan.undetermined.is_empty() {
            ui.say(&text::choices(&self.ways_on(), &ui));
            ui.say(&format!("{} nothing was touched", ui.paint(Paint::Danger, "blocked:")));
            return Ok(Decision::End(self.block_exit()));
        }
        let at_risk = self.at_risk();
        let names: Vec<String> = at_risk.iter().map(|evidence| loss_name(evidence).to_owned()).collect();
        let may_lose = at_risk.iter().all(|seen| settings.accept_loss(&self.plan, seen) != AcceptLoss::Never);
        let offers = Offers { save: self.can_save(), lose: may_lose };
        loop {
            match prompt::choose(&ui, &names, offers)? {
                Choice::Save => return Ok(Decision::Save),
                Choice::Details => ui.say(&text::plan(&self.plan, &ui)),
                Choice::LoseIt => return Ok(Decision::Lose),
                Choice::Stop => {
                    ui.say("stopped: nothing was touched");
                    return Ok(Decision::End(Exit::Declined));
                }
            }
        }
    }

    fn block_exit(&self) -> Exit {
        match self.judgement.verdict {
            Verdict::Undetermined => Exit::Undetermined,
            Verdict::Allow | Verdict::Warn | Verdict::Block => Exit::Blocked,
        }
    }

    /// One line for each thing worth it, where nothing blocks.
    fn warn(&self) {
        let now = self.app.now();
        for finding in &self.judgement.findings {
            let Some(seen) = self.evidence.iter().find(|seen| judge::is_about(finding, seen)) else {
                continue;
            };
            let name = clean(words::short(seen.volume.as_deref().unwrap_or(&seen.target.name)));
            if let Some(accepted) =
                finding.suppressed.as_deref().filter(|_| finding.severity >= Severity::High)
            {
                let lost = text::contents(seen, now);
                self.app
                    .ui
                    .note(&format!("{name}: {} {lost} goes, accepted by {accepted}", text::engine(seen)));
            } else if finding.severity == Severity::Medium {
                let line = match &seen.engine {
                    Some(_) => format!("{name}: {} stays; {}", text::engine(seen), text::backups(seen, now)),
                    None => format!("{name}: {} go with the volume", text::contents(seen, now)),
                };
                self.app.ui.note(&line);
            }
        }
    }

    async fn show_plan(&self) -> Exit {
        let ui = &self.app.ui;
        if self.parsed.own.format == Format::Json {
            self.print_document(Exit::Done).await;
            return Exit::Done;
        }
        let mut out =
            format!("{} would do this:\n\n{}", self.parsed.operation.name(), text::plan(&self.plan, ui));
        let told: Vec<&Evidence> = self.evidence.iter().collect();
        if !told.is_empty() {
            out.push_str(&format!("\nwhat is in it:\n\n{}", text::paragraphs(&told, self.app.now(), ui)));
        }
        let verdict = match self.judgement.verdict {
            Verdict::Allow => "it would go through",
            Verdict::Warn => "it would go through with a line about backups",
            Verdict::Block => "it would be blocked: data is at risk",
            Verdict::Undetermined => "it would be blocked: not everything could be determined",
        };
        out.push_str(&format!("\n{verdict}\n"));
        ui.print(&out);
        Exit::Done
    }

    async fn print_document(&self, exit: Exit) {
        let document = Document {
            schema_version: SCHEMA_VERSION,
            command: &self.parsed.docker_arguments,
            engine: self.app.engine_ref().await,
            plan: plan_rows(&self.plan),
            evidence: &self.evidence,
            findings: &self.judgement.findings,
            verdict: self.judgement.verdict,
            undetermined: &self.plan.undetermined,
            snapshots: &self.snapshots,
            exit: Who { by: exit.by(), status: exit.status() },
        };
        match serde_json::to_string_pretty(&document) {
            Ok(json) => self.app.ui.print(&format!("{json}\n")),
            Err(error) => self.app.ui.fail(&error.to_string(), None),
        }
    }

    /// Looks again by id, right before docker gets the command.
    async fn check_again(&self, model: &ComposeSource, strictness: Strictness) -> Result<(), Failure> {
        let mut again = plan::plan(&self.parsed.operation, &self.app.engine, model).await?;
        spare(self.app, self.parsed, &Kept::load(self.app)?, &mut again)?;
        let agrees = match strictness {
            Strictness::Same => again.fingerprint() == self.plan.fingerprint(),
            Strictness::NothingNew => {
                let judged = self.plan.losses();
                again.losses().iter().all(|loss| judged.contains(loss))
            }
        };
        if agrees {
            return Ok(());
        }
        Err(Failure::new("containers or volumes changed while they were looked at; nothing was destroyed")
            .hint(format!("{}   looks again", self.shown)))
    }

    /// A prune removes what was judged and nothing else; every other command is docker's.
    async fn carry_out(&self) -> Result<Exit, Failure> {
        let app = self.app;
        if let Operation::Prune(prune) = &self.parsed.operation
            && is_listed(app, prune)?
        {
            let (engine, docker, cancellation) = (&app.engine, &app.docker, &app.cancellation);
            let request = prune::Request { engine, docker, prune, plan: &self.plan, cancellation };
            let mut out = std::io::stdout();
            let pruned = prune::run(&request, &mut out).await;
            return pruned.map_err(|error| Failure::new(error.to_string()));
        }
        run_it(app, self.parsed, self.input.clone()).await
    }

    /// Runs the docker command and compares what it destroyed with the plan.
    async fn hand_over(&self, watch: Watch) -> Result<Exit, Failure> {
        let json = self.parsed.own.format == Format::Json;
        let exit = self.carry_out().await?;
        self.journal(Event::HandOver, &format!("exit status {}", exit.status()));
        for difference in watch.compare(&self.plan, exit.status() == 0).await {
            self.app.ui.note(&difference);
        }
        if json {
            self.print_document(exit).await;
        }
        Ok(exit)
    }
}
