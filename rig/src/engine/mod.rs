//! Engines that play the shards of a run on several machines: what their files look like.
//!
//! Holds [`Fleet`], which is what all shards have in common, and one file per engine. Must not know what a cell is, the command line, nor any host. Pure.
//! Units: shards, counted from 1. Errors: [`Refused`], which blames the number of shards or a word. Tests: `engine/tests.rs`; `tests/engines.rs` (schemas of
//! others); `tests/slurm.rs` (a real one).

mod fleet;
mod github;
mod gitlab;
mod kubernetes;
mod quote;
mod slurm;
#[cfg(test)]
mod tests;

pub use fleet::Fleet;
pub use quote::shell;

/// Who plays the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A job array of sbatch(1), and a job that joins its runs.
    Slurm,
    /// The value of `strategy.matrix` of a GitHub Actions workflow.
    Github,
    /// A job with `parallel:matrix` for a GitLab pipeline, to be extended.
    Gitlab,
    /// An Indexed Job of Kubernetes.
    Kubernetes,
}

/// Why an engine cannot have these shards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The engine has a limit.
    #[error("{engine} plays {most} jobs of a matrix at most, and {asked} shards were asked for")]
    TooMany {
        /// Its name.
        engine: &'static str,
        /// Its limit.
        most: u32,
        /// What was asked for.
        asked: u32,
    },
    /// A word that cannot be carried unchanged through every language on its way to the shard.
    #[error("the argument {0:?} has a control character, which not every engine passes on unchanged")]
    ControlCharacter(String),
}

impl Engine {
    /// The text for this engine.
    ///
    /// # Errors
    /// [`Refused`]: more shards than it takes, or an argument with a control character.
    pub fn render(self, fleet: &Fleet) -> Result<String, Refused> {
        if let Some(word) = fleet.words.iter().find(|word| word.chars().any(char::is_control)) {
            return Err(Refused::ControlCharacter(word.clone()));
        }
        if let Some((engine, most)) = self.limit()
            && fleet.shards > most
        {
            return Err(Refused::TooMany { engine, most, asked: fleet.shards });
        }
        Ok(match self {
            Self::Slurm => slurm::render(fleet),
            Self::Github => github::render(fleet),
            Self::Gitlab => gitlab::render(fleet),
            Self::Kubernetes => kubernetes::render(fleet),
        })
    }

    /// Its name and how many jobs it makes of one matrix, where that has a limit: the pages "Running variations of jobs in a workflow" of GitHub's
    /// documentation and "parallel:matrix" of GitLab's.
    fn limit(self) -> Option<(&'static str, u32)> {
        match self {
            Self::Github => Some(("GitHub Actions", 256)),
            Self::Gitlab => Some(("GitLab", 200)),
            Self::Slurm | Self::Kubernetes => None,
        }
    }
}
