//! Usage texts as commons-cli lays them out, 110 columns wide. Upstream: `HelpFormatter`.

use crate::command::SubCommand;
use crate::options::{COMMON, CommandOption, Rule};

/// Columns of a usage text.
const WIDTH: usize = 110;
/// Where the second line of the synopsis begins: below what follows `usage: `.
const SYNOPSIS_INDENT: usize = 7;
/// Blanks between the longest option and its description.
const GAP: usize = 3;

/// The usage text of a command.
#[must_use]
pub fn of(command: &dyn SubCommand) -> String {
    let title = format!("mqadmin {} {}", command.name(), command.words());
    usage(title.trim_end(), command.options())
}

/// The usage text of a command called `title`, with a line feed at the end.
#[must_use]
pub fn usage(title: &str, options: &[CommandOption]) -> String {
    let is_own = |common: &&CommandOption| options.iter().any(|option| option.short == common.short);
    let common = COMMON.iter().filter(|common| !is_own(common));
    let mut all: Vec<CommandOption> = common.chain(options).copied().collect();
    all.sort_by_key(|option| option.key().to_lowercase());
    let mut text = String::new();
    wrap(&mut text, SYNOPSIS_INDENT, &synopsis(title, &all));
    let names: Vec<String> = all.iter().map(names).collect();
    let longest = names.iter().map(String::len).max().unwrap_or_default();
    for (option, name) in all.iter().zip(&names) {
        let line = format!("{name:<width$}{}", option.description, width = longest + GAP);
        wrap(&mut text, longest + GAP, &line);
    }
    text
}

fn synopsis(title: &str, sorted: &[CommandOption]) -> String {
    let mut pieces = Vec::with_capacity(sorted.len());
    let mut done = Vec::new();
    for option in sorted {
        pieces.push(match option.rule {
            Rule::Optional => format!("[{}]", short_form(option)),
            Rule::Required => short_form(option),
            // Upstream leaves the place of the others empty, so two blanks follow.
            rule @ Rule::OneOf(_) if done.contains(&rule) => String::new(),
            rule @ Rule::OneOf(_) => {
                done.push(rule);
                let choice = sorted.iter().filter(|option| option.rule == rule).map(short_form);
                choice.collect::<Vec<_>>().join(" | ")
            }
        });
    }
    format!("usage: {title} {}", pieces.join(" "))
}

fn short_form(option: &CommandOption) -> String {
    let dashes = if option.short.is_empty() { "--" } else { "-" };
    let value = if option.takes_value { " <arg>" } else { "" };
    format!("{dashes}{}{value}", option.key())
}

pub(crate) fn names(option: &CommandOption) -> String {
    let value = if option.takes_value { " <arg>" } else { "" };
    if option.short.is_empty() {
        format!("    --{}{value}", option.long)
    } else {
        format!(" -{},--{}{value}", option.short, option.long)
    }
}

/// Appends `text` in lines of at most [`WIDTH`] columns, all but the first indented. Usage texts are ASCII.
fn wrap(out: &mut String, indent: usize, text: &str) {
    let mut line = text.to_owned();
    while let Some(at) = wrap_position(&line) {
        let (head, tail) = line.split_at(at);
        out.push_str(head.trim_end());
        out.push('\n');
        line = format!("{:indent$}{}", "", tail.trim());
        if line.len() > WIDTH && wrap_position(&line).is_some_and(|at| at < indent) {
            // A word longer than a line is cut.
            let (head, tail) = line.split_at(WIDTH);
            out.push_str(head);
            out.push('\n');
            line = format!("{:indent$}{}", "", tail.trim());
        }
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

fn wrap_position(line: &str) -> Option<usize> {
    if line.len() <= WIDTH {
        return None;
    }
    let head = line.get(..=WIDTH)?;
    Some(head.rfind(' ').filter(|at| *at > 0).unwrap_or(WIDTH))
}
