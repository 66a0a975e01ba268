//! What can be typed: sessions and models of a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct SessionsArguments {
    #[command(subcommand)]
    pub(crate) action: SessionsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsAction {
    /// All sessions.
    List,
    /// One session, with the figures of its series.
    Show {
        /// sessions/NAME.
        session: String,
    },
    /// Remove one with everything that is stored of it.
    Delete {
        /// sessions/NAME.
        session: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    #[command(subcommand)]
    pub(crate) action: AdminAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminAction {
    /// All models with their revisions.
    List,
    /// Send a model file as a revision of a model.
    Import {
        /// The model: load, or models/load; it is made if there is none.
        model: String,
        /// The file that `longcast fit` wrote.
        file: PathBuf,
        /// Load it, and let calls that name the model alone go to it.
        #[arg(long = "default")]
        makes_default: bool,
    },
    /// Fetch the file of a revision.
    Export {
        /// models/load/revisions/3f...
        revision: String,
        /// The file to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Load a revision into memory.
    Load {
        /// models/load/revisions/3f...
        revision: String,
        /// Let calls that name the model alone go to it.
        #[arg(long = "default")]
        makes_default: bool,
    },
    /// Take a revision out of memory.
    Unload {
        /// models/load/revisions/3f...
        revision: String,
        /// Its sessions: pin (it stays for them), migrate (they go to the default revision) or refuse.
        #[arg(long, default_value = "pin", value_name = "POLICY")]
        sessions: String,
    },
    /// Point an alias to revisions, with weights and shadows.
    Alias {
        /// models/load@champion.
        alias: String,
        /// Revisions with weights: 3f2a...=95,77c1...=5; one without a weight takes all.
        #[arg(value_name = "REVISION=WEIGHT,...", value_delimiter = ',', required = true)]
        shares: Vec<String>,
        /// Revisions that get a copy of the calls.
        #[arg(long, value_name = "REVISION,...", value_delimiter = ',')]
        shadow: Vec<String>,
    },
    /// Remove a model, or one revision of it.
    Delete {
        /// models/load, or models/load/revisions/3f...
        name: String,
        /// Also with sessions that use it.
        #[arg(long)]
        force: bool,
    },
}
