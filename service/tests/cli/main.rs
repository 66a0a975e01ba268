//! The program `longcast` as a user runs it: what every command prints and leaves behind.

#[path = "../run/mod.rs"]
mod run;

mod charts;
mod commands;
mod demo;
mod forms;
mod readme;
mod scores;
mod streams;
