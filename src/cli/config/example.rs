//! The example file, written from the types, so that it cannot say anything else than they do.

use std::fmt::Write as _;

use toml::{Table, Value};

use crate::base::Config;
use crate::base::config::Key;

/// The example file: every key with its meaning, its range, its variable and its default, all commented out.
pub fn example() -> String {
    let defaults = default_values();
    let mut text = String::from(
        "# Configuration of msr-lite, by default read from /etc/msr-lite/config.toml.\n\
         #\n\
         # Every setting is optional, and a registry runs well without this file. A flag of the command line wins over\n\
         # a variable, a variable over this file, this file over the default. A variable is named MSR_LITE_ and the\n\
         # setting in capitals, with two underscores after the section; lists are separated by commas.\n\
         # `msr-lite config check` reads the file without starting anything; `msr-lite config show --origin` tells\n\
         # where each value comes from.\n\
         #\n\
         # Made by `msr-lite config example`.\n",
    );
    for section in &Config::SECTIONS {
        if !section.name.is_empty() {
            text.push('\n');
            for line in section.about {
                let _ = writeln!(text, "#{line}");
            }
            let _ = writeln!(text, "[{}]", section.name);
        }
        for key in section.keys {
            text.push('\n');
            for line in key.about {
                let _ = writeln!(text, "#{line}");
            }
            if let Some((least, most)) = key.range {
                let _ = writeln!(text, "# From {least} to {most}.");
            }
            let _ = writeln!(text, "# Variable: {}", key.variable());
            let value = match (value_at(&defaults, key), key.example) {
                (_, Some(example)) => example.to_owned(),
                (Some(value), None) => value.to_string(),
                (None, None) => String::new(),
            };
            let _ = writeln!(text, "#{} = {value}", key.name);
        }
    }
    text
}

/// The defaults as TOML; a key whose default is "nothing" is missing.
pub(super) fn default_values() -> Table {
    Table::try_from(Config::default()).expect("settings are numbers, texts, switches and lists of them")
}

/// The value of `key` in a table of settings.
pub(super) fn value_at<'a>(table: &'a Table, key: &Key) -> Option<&'a Value> {
    let section = if key.section.is_empty() { table } else { table.get(key.section)?.as_table()? };
    section.get(key.name)
}
