//! `longcast client`: the service used from a shell.

mod admin;
mod axis;
mod connect;
mod evaluate;
mod forecast;
mod info;
mod jobs;
mod rows;
mod session;
mod sessions;
mod train;
mod updates;
mod upload;
mod watch;

use super::args::{ClientArguments, ClientCall};
use super::console::Console;
use super::failure::Failure;
use super::serve;

pub(crate) use connect::Connection;
pub(crate) use forecast::ask;

pub(crate) fn run(arguments: &ClientArguments, console: &Console) -> Result<(), Failure> {
    let connection = Connection::new(&arguments.connection)?;
    serve::runtime(2)?.block_on(async {
        match &arguments.call {
            ClientCall::Info => info::run(&connection, console).await,
            ClientCall::Forecast(arguments) => forecast::run(&connection, arguments, console).await,
            ClientCall::Session(arguments) => session::run(&connection, arguments, console).await,
            ClientCall::Train(arguments) => train::run(&connection, arguments, console).await,
            ClientCall::Evaluate(arguments) => evaluate::run(&connection, arguments, console).await,
            ClientCall::Watch(arguments) => {
                watch::run(&connection, &arguments.job, arguments.after, console).await
            }
            ClientCall::Jobs(arguments) => jobs::run(&connection, &arguments.action, console).await,
            ClientCall::Datasets(arguments) => upload::run(&connection, &arguments.action, console).await,
            ClientCall::Sessions(arguments) => sessions::run(&connection, &arguments.action, console).await,
            ClientCall::Admin(arguments) => admin::run(&connection, &arguments.action, console).await,
        }
    })
}
