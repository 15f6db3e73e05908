//! A random stack: its services and volumes, what happened to it before, and a command line.

use std::fmt::Write as _;

/// Numbers that look random and are always the same for a seed (SplitMix64).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Whether one of so many hundred came.
    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn choose<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> &'a T {
        among[self.below(among.len())]
    }

    fn some_of(&mut self, among: &[String], chance: usize) -> Vec<String> {
        among.iter().filter(|_| self.percent(chance)).cloned().collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mount {
    Volume(&'static str),
    /// A volume without a name, at this path.
    Anonymous(&'static str),
    Bind,
    Tmpfs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    name: &'static str,
    mounts: Vec<Mount>,
    /// Names, and whether a restart is handed on.
    depends_on: Vec<(&'static str, bool)>,
    profile: bool,
    volumes_from: Option<&'static str>,
    shares_network: Option<&'static str>,
    replicas: usize,
    /// What the file says of it when the command comes.
    later: Later,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Later {
    Same,
    Changed,
    /// No longer in the file.
    Gone,
    /// Its anonymous volumes are no longer in the file.
    WithoutVolumes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    External,
    /// With a name of its own, and made before by somebody else.
    Foreign,
    /// With a name of its own.
    Named,
    Memory,
    /// Described otherwise when the command comes.
    Changes,
}

/// A stack and a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    services: Vec<Service>,
    volumes: Vec<(&'static str, Kind)>,
    start: Vec<String>,
    steps: Vec<String>,
    command: Vec<String>,
}

const NAMES: &[&str] = &["db", "web", "job", "side"];
const KEYS: &[&str] = &["data", "more"];
const PATHS: &[&str] = &["/a", "/b"];

impl Case {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let dice = &mut Dice(seed);
        let mut volumes = Vec::new();
        for &key in KEYS {
            let kinds = [
                Kind::Plain,
                Kind::Plain,
                Kind::External,
                Kind::Foreign,
                Kind::Named,
                Kind::Memory,
                Kind::Changes,
            ];
            if dice.percent(75) {
                volumes.push((key, kinds[dice.below(kinds.len())]));
            }
        }
        let count = 1 + dice.below(NAMES.len());
        let mut services: Vec<Service> = Vec::new();
        for &name in &NAMES[..count] {
            let service = service(dice, name, &services, &volumes);
            services.push(service);
        }
        let mut case = Self { services, volumes, start: Vec::new(), steps: Vec::new(), command: Vec::new() };
        case.start = case.beginning(dice);
        for _ in 0..dice.below(4) {
            let step = case.step(dice);
            case.steps.push(step);
        }
        case.command = case.line(dice);
        case
    }

    /// The compose file at first.
    pub(crate) fn yaml(&self) -> String {
        self.file(false)
    }

    /// What happens before the command.
    pub(crate) fn before(&self) -> Vec<String> {
        let made = self.volumes.iter().filter(|(_, kind)| matches!(kind, Kind::External | Kind::Foreign));
        let made = made.map(|(key, _)| format!("volume create P_{key}"));
        let mut steps: Vec<String> = made.chain([self.start.join(" ")]).chain(self.steps.clone()).collect();
        let (first, later) = (self.file(false), self.file(true));
        if first != later {
            steps.push(format!("file compose.yaml => {later}"));
        }
        steps
    }

    pub(crate) fn command(&self) -> String {
        self.command.join(" ")
    }

    /// Everything that is a little smaller.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut found = Vec::new();
        let mut with = |change: &dyn Fn(&mut Self)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            if smaller != *self {
                found.push(smaller);
            }
        };
        for index in 0..self.steps.len() {
            with(&|case| drop(case.steps.remove(index)));
        }
        for (index, service) in self.services.iter().enumerate() {
            let name = service.name;
            with(&|case| {
                case.services.remove(index);
                for other in &mut case.services {
                    other.depends_on.retain(|(on, _)| *on != name);
                    other.volumes_from = other.volumes_from.filter(|from| *from != name);
                    other.shares_network = other.shares_network.filter(|from| *from != name);
                }
            });
        }
        // Without it the command does not end.
        let may_go = |words: &[String], index: usize| words[index] != "-d";
        for index in (1..self.command.len()).filter(|&index| may_go(&self.command, index)) {
            with(&|case| drop(case.command.remove(index)));
        }
        for index in (2..self.start.len()).filter(|&index| may_go(&self.start, index)) {
            with(&|case| drop(case.start.remove(index)));
        }
        for (index, service) in self.services.iter().enumerate() {
            with(&|case| case.services[index].later = Later::Same);
            with(&|case| case.services[index].profile = false);
            with(&|case| case.services[index].replicas = 1);
            with(&|case| case.services[index].volumes_from = None);
            with(&|case| case.services[index].shares_network = None);
            for need in 0..service.depends_on.len() {
                with(&|case| {
                    case.services[index].depends_on.retain(|(on, _)| *on != service.depends_on[need].0)
                });
            }
            for mount in 0..service.mounts.len() {
                with(&|case| {
                    case.services[index].mounts.remove(mount);
                });
            }
        }
        for index in 0..self.volumes.len() {
            with(&|case| case.volumes[index].1 = Kind::Plain);
        }
        found
    }

    fn names(&self) -> Vec<String> {
        self.services.iter().map(|service| service.name.to_owned()).collect()
    }

    fn file(&self, later: bool) -> String {
        let mut text = "services:\n".to_owned();
        for service in self.services.iter().filter(|s| !later || s.later != Later::Gone) {
            let of = |mount: &Mount| match mount {
                Mount::Volume(key) => Some(format!("'{key}:/{key}'")),
                Mount::Anonymous(_) if later && service.later == Later::WithoutVolumes => None,
                Mount::Anonymous(path) => Some(format!("'{path}'")),
                Mount::Bind => Some("'./bind:/bind'".to_owned()),
                Mount::Tmpfs => None,
            };
            let mounts: Vec<String> = service.mounts.iter().filter_map(of).collect();
            let network = match service.shares_network {
                Some(other) if self.is_there(other, later) => format!("'service:{other}'"),
                _ => "none".to_owned(),
            };
            let _ = write!(
                text,
                "  {}:\n    image: stateless:1\n    command: sleep infinity\n    network_mode: {network}\n    scale: {}\n    volumes: [ {} ]\n",
                service.name,
                service.replicas,
                mounts.join(", ")
            );
            if service.mounts.contains(&Mount::Tmpfs) {
                text.push_str("    tmpfs: [ /memory ]\n");
            }
            if service.profile {
                text.push_str("    profiles: [ extra ]\n");
            }
            if later && service.later == Later::Changed {
                text.push_str("    labels: [ changed ]\n");
            }
            if let Some(from) = service.volumes_from.filter(|from| self.is_there(from, later)) {
                let _ = writeln!(text, "    volumes_from: [ {from} ]");
            }
            let needs: Vec<_> =
                service.depends_on.iter().filter(|(on, _)| self.is_there(on, later)).collect();
            if !needs.is_empty() {
                text.push_str("    depends_on:\n");
            }
            for (on, restart) in needs {
                let _ = writeln!(text, "      {on}: {{ condition: service_started, restart: {restart} }}");
            }
        }
        text.push_str("volumes:\n");
        for (key, kind) in &self.volumes {
            let described = match kind {
                Kind::External => format!("{{ external: true, name: PROJECT_{key} }}"),
                Kind::Foreign => format!("{{ name: PROJECT_{key} }}"),
                Kind::Named => format!("{{ name: PROJECT_own_{key} }}"),
                Kind::Memory => "{ driver_opts: { type: tmpfs, device: tmpfs } }".to_owned(),
                Kind::Changes if later => "{ labels: [ changed ] }".to_owned(),
                Kind::Plain | Kind::Changes => "{}".to_owned(),
            };
            let _ = writeln!(text, "  {key}: {described}");
        }
        if self.volumes.is_empty() {
            text.push_str("  unused: {}\n");
        }
        text
    }

    fn is_there(&self, name: &str, later: bool) -> bool {
        self.services.iter().any(|s| s.name == name && !(later && s.later == Later::Gone))
    }

    /// How the stack was brought up.
    fn beginning(&self, dice: &mut Dice) -> Vec<String> {
        let profiles = if dice.percent(70) { "--profile extra " } else { "" };
        let line = match dice.below(10) {
            0..=6 => format!("compose {profiles}up -d -y"),
            7 | 8 => format!("compose {profiles}create -y"),
            _ => format!("compose {profiles}up -d -y --scale {}=2", dice.choose(&self.names_of_static())),
        };
        line.split(' ').map(str::to_owned).collect()
    }

    fn names_of_static(&self) -> Vec<&'static str> {
        self.services.iter().map(|service| service.name).collect()
    }

    /// Something that happened meanwhile.
    fn step(&self, dice: &mut Dice) -> String {
        let service = dice.choose(&self.names_of_static());
        let number = dice.below(1000);
        match dice.below(11) {
            0 => "compose --profile extra stop".to_owned(),
            1 => format!("compose --profile extra stop {service}"),
            2 => format!("compose --profile extra pause {service}"),
            3 => format!("compose run -d --name P-one{number} {service} sleep infinity"),
            4 => format!("compose run -d --rm --name P-rm{number} {service} sleep infinity"),
            5 => format!("compose run --no-deps --name P-done{number} {service} true"),
            6 => format!("create --name P-user{number} --network none -v P_data:/n stateless:1"),
            7 => format!(
                "create --name P-lent{number} --network none --volumes-from P-{service}-1 stateless:1"
            ),
            8 => format!(
                "run -d --name P-also{number} --network none --volumes-from P-{service}-1 -v /c stateless:1"
            ),
            9 => format!("compose --profile extra up -d -y --force-recreate {service}"),
            _ => format!("rm -f P-{service}-1"),
        }
    }

    /// The command.
    fn line(&self, dice: &mut Dice) -> Vec<String> {
        let names = self.names();
        let some = dice.some_of(&names, 35);
        let globals = match dice.below(8) {
            0 => "-p P ",
            1 => "--profile extra ",
            2 => "--profile=* ",
            3 => "-f compose.yaml ",
            4 => "--project-name=P -f=compose.yaml ",
            _ => "",
        };
        let line = match dice.below(16) {
            0..=3 => format!("compose {globals}down {} {}", flags(dice, DOWN), some.join(" ")),
            4 => format!("compose {globals}rm -f {} {}", flags(dice, RM), some.join(" ")),
            5 | 6 => format!("compose {globals}up -d -y {} {}", flags(dice, UP), some.join(" ")),
            7 => format!("compose {globals}create -y {} {}", flags(dice, CREATE), some.join(" ")),
            8 => format!("compose {globals}scale {}={}", dice.choose(&self.names_of_static()), dice.below(3)),
            9 => format!(
                "compose {globals}run {} {} true",
                flags(dice, RUN),
                dice.choose(&self.names_of_static())
            ),
            10 => format!(
                "compose {globals}{} {}",
                dice.choose(&[
                    "stop -t0",
                    "stop -t=0",
                    "kill",
                    "kill -s KILL",
                    "kill --signal=HUP",
                    "restart -t 0",
                    "restart --no-deps",
                    "kill --remove-orphans"
                ]),
                some.join(" ")
            ),
            11 | 12 => self.of_docker(dice),
            13 => format!(
                "volume {} {}",
                dice.choose(&["rm", "remove -f", "rm --force=1"]),
                dice.choose(&["P_data", "P_more P_data", "P_own_data P_missing"])
            ),
            14 => format!(
                "container prune -f --filter label=com.docker.compose.project=P {}",
                dice.choose(&["", "--filter label!=com.docker.compose.oneoff=True"])
            ),
            _ => format!(
                "{} --filter label=com.docker.compose.project=P",
                dice.choose(&[
                    "volume prune -f",
                    "volume prune -af",
                    "volume prune --all=1 --force",
                    "system prune -f",
                    "system prune -f --volumes",
                    "system prune --volumes=true -af"
                ])
            ),
        };
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// `rm` and its kin of some containers.
    fn of_docker(&self, dice: &mut Dice) -> String {
        let verb = dice.choose(&[
            "rm",
            "rm -f",
            "rm -fv",
            "rm -v",
            "container rm --force=true -v=1",
            "rm -f --volumes=false",
            "container remove -vf",
            "stop -t0",
            "stop --time=0",
            "kill",
            "kill -s=KILL",
            "restart -t0",
            "container stop -t 0",
        ]);
        let mut names: Vec<String> =
            dice.some_of(&self.names(), 60).iter().map(|name| format!("P-{name}-1")).collect();
        names.push(format!("P-{}-1", dice.choose(&self.names_of_static())));
        let made = self.steps.iter().filter_map(|step| {
            step.split(' ').find(|word| {
                word.starts_with("P-one")
                    || word.starts_with("P-rm")
                    || word.starts_with("P-lent")
                    || word.starts_with("P-also")
            })
        });
        names.extend(made.filter(|_| dice.percent(60)).map(str::to_owned));
        format!("{verb} {}", names.join(" "))
    }
}

const DOWN: &[&[&str]] = &[
    &["", "", "-v", "--volumes", "--volume", "-v=1", "--volumes=T", "-v -v=false", "-vt0", "--volumes=0"],
    &["", "", "--remove-orphans", "--remove-orphans=1", "--remove-orphans=false"],
    &["", "-t 0", "-t=0", "--timeout=0x0", "--rmi local"],
];
const RM: &[&[&str]] = &[&["", "-s", "--stop=true", "-sv", "-v", "-a"]];
const UP: &[&[&str]] = &[
    &[
        "",
        "",
        "",
        "--force-recreate",
        "--no-recreate",
        "-V",
        "--renew-anon-volumes=1",
        "--always-recreate-deps",
    ],
    &["", "", "", "--remove-orphans", "--no-deps"],
    &["", "", "-t0", "--scale db=2", "--scale=db=0"],
];
const CREATE: &[&[&str]] =
    &[&["", "", "--force-recreate", "--no-recreate", "--scale db=2"], &["", "", "--remove-orphans"]];
const RUN: &[&[&str]] = &[&["", "--rm", "--rm=true"], &["", "", "--no-deps", "--remove-orphans"]];

/// One spelling, or none, of each.
fn flags(dice: &mut Dice, of: &[&[&str]]) -> String {
    of.iter().map(|spellings| dice.choose(spellings)).collect::<Vec<_>>().join(" ")
}

fn service(
    dice: &mut Dice,
    name: &'static str,
    earlier: &[Service],
    volumes: &[(&'static str, Kind)],
) -> Service {
    let mut mounts = Vec::new();
    for (key, _) in volumes {
        if dice.percent(40) {
            mounts.push(Mount::Volume(key));
        }
    }
    for path in PATHS {
        if dice.percent(30) {
            mounts.push(Mount::Anonymous(path));
        }
    }
    if dice.percent(15) {
        mounts.push(Mount::Bind);
    }
    if dice.percent(20) {
        mounts.push(Mount::Tmpfs);
    }
    let plain: Vec<&'static str> = earlier.iter().filter(|s| !s.profile).map(|s| s.name).collect();
    let mut other = |chance: usize| (!plain.is_empty() && dice.percent(chance)).then(|| dice.choose(&plain));
    let (needs, volumes_from, shares_network) = (other(50), other(15), other(10));
    let later = match dice.below(10) {
        0..=5 => Later::Same,
        6 | 7 => Later::Changed,
        8 => Later::WithoutVolumes,
        _ if earlier.is_empty() => Later::Same,
        _ => Later::Gone,
    };
    Service {
        name,
        mounts,
        depends_on: needs.map(|on| (on, dice.percent(30))).into_iter().collect(),
        profile: dice.percent(20),
        volumes_from,
        shares_network,
        replicas: if dice.percent(15) { 2 } else { 1 },
        later,
    }
}
