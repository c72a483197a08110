//! `docs/reference/cli.md`, from the commands as they are; and the commands that the documentation shows.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory as _};

use super::Cli;
use super::generated::{cell, compare};

const INTRODUCTION: &str = "\
# Command line

<!-- Written from src/cli; a test compares. -->

One binary, `berth`, is the controller and everything else. Installed as `kubectl-berth` in the `PATH`, it is also `kubectl
berth`. Where an environment variable is named, it counts when the option is not given.

Exit codes: 0 for success; 1 when something was wrong with the input, the arguments or the world, which is said on standard
error; more where a command says so.
";

fn reference() -> String {
    let mut berth = Cli::command();
    berth.build();
    let mut text = INTRODUCTION.to_owned();
    for command in berth.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        section(command, &mut text);
    }
    text
}

fn section(command: &mut Command, text: &mut String) {
    let about = command.get_long_about().or(command.get_about()).unwrap().to_string();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    write!(text, "\n## berth {}\n\n{}\n\n```\n{usage}\n```\n", command.get_name(), about.trim()).unwrap();
    text.push_str("\n| Argument | Default | Environment | Meaning |\n|---|---|---|---|\n");
    for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
        row(argument, text);
    }
    if let Some(after) = command.get_after_help() {
        writeln!(text, "\n{after}").unwrap();
    }
}

fn row(argument: &Arg, text: &mut String) {
    let name = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (_, Some(long)) => format!("--{long}"),
        _ => String::new(),
    };
    let takes_value = argument.get_action().takes_values();
    let value = argument.get_value_names().filter(|_| takes_value).map(|names| names.join(" "));
    let value = value.map(|value| if argument.is_positional() { format!("<{value}>") } else { value });
    let name = [name, value.unwrap_or_default()].join(" ").trim().to_owned();
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let help = argument.get_help().unwrap().to_string();
    // What cannot be known before it runs is said at the end of the help.
    let (help, said) = match help.split_once(" [default: ") {
        Some((help, said)) => (help.to_owned(), said.trim_end_matches(']').to_owned()),
        None => (help, String::new()),
    };
    let default = match defaults.as_slice() {
        _ if !takes_value || argument.is_required_set() => said,
        [] => said,
        defaults => format!("`{}`", defaults.join(",")),
    };
    let mut help = format!("{}.", cell(&help).trim_end_matches('.'));
    if argument.is_required_set() {
        help += " Required.";
    }
    for possible in argument.get_possible_values().iter().filter(|_| takes_value) {
        let about = possible.get_help().map_or_else(String::new, |about| format!(": {about}"));
        write!(help, "<br>`{}`{}", possible.get_name(), cell(&about)).unwrap();
    }
    let environment =
        argument.get_env().map_or_else(String::new, |name| format!("`{}`", name.to_string_lossy()));
    writeln!(text, "| `{}` | {default} | {environment} | {help} |", cell(&name)).unwrap();
}

#[test]
fn the_command_line_is_up_to_date() {
    compare("docs/reference/cli.md", &reference());
}

/// Every page that shows commands.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pages = paths.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] });
    pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The commands of Berth in the blocks of a page, after a prompt, without what the shell takes for itself.
fn commands(page: &str) -> Vec<Vec<String>> {
    let joined = page.replace("\\\n", " ");
    let shown = joined.lines().filter_map(|line| line.trim_start().strip_prefix("$ "));
    let words = shown.map(|line| {
        let own = line.split(['>', '|', '<']).next().unwrap();
        own.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect::<Vec<_>>()
    });
    words
        .filter_map(|mut words| {
            // As a plugin of kubectl it takes the same arguments.
            if words.starts_with(&["kubectl".to_owned(), "berth".to_owned()]) {
                words.remove(0);
            }
            (words.first().is_some_and(|word| word == "berth")).then_some(words)
        })
        .collect()
}

#[test]
fn every_command_that_the_documentation_shows_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = pages(&root.join("docs"));
    all.extend(["README.md", "CONTRIBUTING.md", "charts/berth/README.md"].map(|name| root.join(name)));
    let mut tried = 0;
    for page in all {
        for words in commands(&fs::read_to_string(&page).unwrap()) {
            tried += 1;
            let parsed = Cli::command().try_get_matches_from(&words);
            let refused = parsed.err().filter(clap::Error::use_stderr);
            assert!(refused.is_none(), "{}: {words:?}: {}", page.display(), refused.unwrap());
        }
    }
    assert!(tried >= 7, "{tried} commands");
}
