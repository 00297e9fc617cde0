//! `completion`: scripts by which a shell completes commands and options, made from the declarations.
//!
//! ```text
//! eval "$(mqadmin completion bash)"    source <(mqadmin completion zsh)    mqadmin completion fish | source
//! ```

use std::io::Write;

use crate::command::{DONE, FAILED, SubCommand};
use crate::options::{COMMON, CommandOption, OUTPUT};
use crate::{Ending, commands};

/// The line in the list of commands.
pub(crate) const DESCRIPTION: &str = "Print a script that completes commands: bash, zsh or fish.";

/// What follows the name.
pub(crate) const USAGE: &str = "usage: mqadmin completion bash | zsh | fish\n";

/// Prints the script of a shell.
pub(crate) fn print(shell: &str, out: &mut dyn Write) -> anyhow::Result<Ending> {
    let script = match shell {
        "bash" => bash(),
        "zsh" => zsh(),
        "fish" => fish(),
        _ => {
            out.write_all(USAGE.as_bytes())?;
            return Ok(Ending::Status(FAILED));
        }
    };
    out.write_all(script.as_bytes())?;
    Ok(Ending::Status(DONE))
}

fn names() -> String {
    let names = commands::all().map(|command| command.name());
    names.chain(["help", "completion"]).collect::<Vec<_>>().join(" ")
}

fn options_of(command: &'static dyn SubCommand) -> impl Iterator<Item = &'static CommandOption> {
    static ALL: [CommandOption; 2] = COMMON;
    let own = command.options();
    static OUTPUTS: [CommandOption; 2] = OUTPUT;
    let has_own = move |common: &&CommandOption| own.iter().any(|option| option.key() == common.key());
    let outputs = OUTPUTS.iter().filter(move |option| command.has_tables() && !has_own(option));
    ALL.iter().filter(move |common| own.iter().all(|option| option.short != common.short)).chain(own).chain(outputs)
}

fn words(option: &CommandOption) -> Vec<String> {
    let long = option.long.trim();
    let mut words = Vec::with_capacity(2);
    if !option.short.is_empty() {
        words.push(format!("-{}", option.short));
    }
    // A name with a blank inside cannot be typed as one word.
    if !long.is_empty() && !long.contains(' ') {
        words.push(format!("--{long}"));
    }
    words
}

fn bash() -> String {
    let mut cases = String::new();
    for command in commands::all() {
        let words: Vec<String> = options_of(command).flat_map(words).collect();
        cases.push_str(&format!("        {}) words=\"{}\" ;;\n", command.name(), words.join(" ")));
    }
    let names = names();
    format!(
        "_mqadmin() {{\n    local current=\"${{COMP_WORDS[COMP_CWORD]}}\" words=\"\"\n    if [ \"$COMP_CWORD\" -eq 1 ] || {{ [ \"$COMP_CWORD\" -eq 2 ] && [ \"${{COMP_WORDS[1]}}\" = help ]; }}; then\n        COMPREPLY=($(compgen -W \"{names}\" -- \"$current\"))\n        return\n    fi\n    case \"${{COMP_WORDS[1]}}\" in\n{cases}        completion) words=\"bash zsh fish\" ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}}\ncomplete -o default -F _mqadmin mqadmin\n"
    )
}

fn zsh() -> String {
    let mut listed = String::new();
    let mut cases = String::new();
    for command in commands::all() {
        listed.push_str(&format!("        '{}:{}'\n", command.name(), quoted(command.description())));
        let mut specs = String::new();
        for option in options_of(command) {
            let description = quoted(option.description).replace('[', "\\[").replace(']', "\\]");
            let value = if option.takes_value { ": :_files" } else { "" };
            for word in words(option) {
                specs.push_str(&format!(" '{word}[{description}]{value}'"));
            }
        }
        cases.push_str(&format!("        {}) _arguments{specs} ;;\n", command.name()));
    }
    format!(
        "#compdef mqadmin\n_mqadmin() {{\n    local -a listed\n    listed=(\n{listed}        'help:The options of a command'\n        'completion:{DESCRIPTION}'\n    )\n    if (( CURRENT == 2 )) || [[ $CURRENT -eq 3 && $words[2] == help ]]; then\n        _describe command listed\n        return\n    fi\n    local name=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $name in\n{cases}        completion) _values shell bash zsh fish ;;\n    esac\n}}\ncompdef _mqadmin mqadmin\n"
    )
}

/// Text inside single quotes, where a colon ends a name.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''").replace(':', "\\:")
}

fn fish() -> String {
    let mut script = String::from("complete -c mqadmin -f\n");
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    for command in commands::all() {
        let (name, description) = (command.name(), quoted(command.description()));
        script.push_str(&format!("complete -c mqadmin -n __fish_use_subcommand -a {name} -d '{description}'\n"));
        for option in options_of(command) {
            let mut names = String::new();
            match option.short.len() {
                0 => {}
                1 => names.push_str(&format!(" -s {}", option.short)),
                _ => names.push_str(&format!(" -o {}", option.short)),
            }
            let long = option.long.trim();
            if !long.is_empty() && !long.contains(' ') {
                names.push_str(&format!(" -l {long}"));
            }
            let value = if option.takes_value { " -r -F" } else { "" };
            let description = quoted(option.description);
            script.push_str(&format!(
                "complete -c mqadmin -n '__fish_seen_subcommand_from {name}'{names}{value} -d '{description}'\n"
            ));
        }
    }
    script.push_str(&format!("complete -c mqadmin -n __fish_use_subcommand -a help -d 'The options of a command'\ncomplete -c mqadmin -n __fish_use_subcommand -a completion -d '{DESCRIPTION}'\ncomplete -c mqadmin -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n"));
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_every_script() {
        for script in [bash(), zsh(), fish()] {
            for command in commands::all() {
                assert!(script.contains(command.name()), "{}", command.name());
            }
            for word in ["namesrvAddr", "completion", "watch", "doctor"] {
                assert!(script.contains(word), "{word}");
            }
        }
    }
}
