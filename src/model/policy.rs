#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSurvivors {
    Ignore,
    Warn,
    Block,
}
