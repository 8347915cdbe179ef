//! What an attempt is started with: made before its claim is written, so that the row knows of its secrets by
//! the same commit.

use stagedoor_domain::invocation::Invocation;
use stagedoor_domain::run::Effect;

use crate::app::App;
use crate::live::LiveRun;

/// Said where the script or the arguments of a run are not there any more.
pub(crate) const GONE: &str =
    "The script is gone, or no longer takes the arguments of this run. Run it again from its form.";

/// What an attempt is started with, and what its row has to know of that.
pub(crate) struct Prepared {
    /// Or why it cannot be started, as the reason of the run.
    pub invocation: Result<Invocation, String>,
    /// To be in the row before the attempt is handed over; none where the row knows all.
    pub sealed: Option<Vec<u8>>,
}

/// Whether an attempt follows.
pub(crate) fn starts(effects: &[Effect]) -> bool {
    let mut effects = effects.iter();
    effects.any(|effect| matches!(effect, Effect::Start(_)))
}

impl App {
    /// Reads what the next attempt of this run is given. Not before it has its slot: a run that has waited
    /// gets the values of then.
    pub(crate) async fn prepare(&self, run: &LiveRun) -> Prepared {
        match self.try_to_prepare(run).await {
            Ok((invocation, sealed)) => Prepared {
                invocation: Ok(invocation),
                sealed,
            },
            Err(why) => Prepared {
                invocation: Err(why),
                sealed: None,
            },
        }
    }

    async fn try_to_prepare(&self, run: &LiveRun) -> Result<(Invocation, Option<Vec<u8>>), String> {
        let (Some(script), Some(args)) = (&run.script, &run.args) else {
            return Err(GONE.to_owned());
        };
        let invocation = self.invocation_of(script, args).await.map_err(|why| {
            tracing::warn!(run = %run.id, error = why.cause(), "a run does not get its credentials");
            why.to_string()
        })?;
        let sealed = self.seal_given(run, &invocation).await.map_err(|error| {
            tracing::error!(run = %run.id, %error, "could not seal the secrets of a run");
            format!("Its credentials could not be sealed for as long as it goes on: {error}.")
        })?;
        Ok((invocation, sealed))
    }
}
