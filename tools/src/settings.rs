//! Settings of servers as they travel and are shown: a line for each.

use anyhow::bail;
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::{NoHeader, RequestKind};
use bytes::Bytes;

use crate::command::Session;
use crate::output::{Column, Document, Style, Table};
use crate::print;

static STYLE: Style = Style {
    name: "settings",
    head: "",
    row: "%-50s=  %s%n",
    columns: &[Column::value("server"), Column::new("key", "#Key"), Column::new("value", "#Value")],
};

/// Settings of a server as upstream prints them, in the order of its table.
#[must_use]
pub fn table(server: &str, settings: &Properties) -> Table {
    let mut table = Table::new(&STYLE);
    for key in print::properties_order(settings.iter().map(|(key, _)| key)) {
        table.row([server.into(), key.into(), settings.get(key).unwrap_or_default().into()]);
    }
    table
}

/// Asks servers for their settings and prints them, server by server.
///
/// # Errors
/// When settings cannot be read, or the output cannot be written.
pub async fn show<R>(session: &mut Session<'_>, addresses: &[String]) -> anyhow::Result<()>
where
    R: RequestKind<Header = NoHeader>,
{
    let answers = session
        .ask_all(addresses, async |admin, address| admin.call::<R>(address, &NoHeader {}, Bytes::new()).await)
        .await;
    let mut document = Document::new();
    for (address, answer) in answers {
        document.line(format!("============{address}============"));
        document.table(table(&address, &Properties::parse(&address, &answer.body)?));
    }
    Ok(session.print(&document)?)
}

/// The body that sets one key.
///
/// # Errors
/// When key or value would set more than that.
pub fn body(key: &str, value: &str) -> anyhow::Result<Bytes> {
    if key.is_empty() || key.contains(['\n', '\r', '=']) || value.contains(['\n', '\r']) {
        bail!("a key must be one word and a value one line: {key:?}, {value:?}");
    }
    let mut settings = Properties::new();
    settings.insert(key, value);
    Ok(Bytes::from(settings.to_file_text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::tests::{golden, printed};

    #[test]
    fn settings_come_in_upstreams_order() {
        for name in ["getNamesrvConfig", "getBrokerConfig"] {
            let text = golden(name);
            let lines: Vec<&str> = text.lines().filter(|line| line.contains("=  ")).collect();
            // A server sends its keys sorted.
            let mut pairs: Vec<(&str, &str)> = lines.iter().map(|line| line.split_once("=  ").unwrap()).collect();
            pairs.sort_unstable();
            let mut settings = Properties::new();
            for (key, value) in pairs {
                settings.insert(key.trim(), value);
            }
            let shown = printed(|out| Document::of(table("a", &settings)).write(Format::Text, out));
            assert_eq!(shown.lines().collect::<Vec<_>>(), lines, "{name}");
        }
    }

    #[test]
    fn one_setting_only() {
        assert_eq!(body("a", "b c").unwrap(), "a=b c\n");
        for (key, value) in [("", "b"), ("a\nb", "c"), ("a", "b\nc"), ("a=b", "c")] {
            assert!(body(key, value).is_err(), "{key:?} {value:?}");
        }
    }
}
