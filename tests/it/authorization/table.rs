//! Reading the tables of expected answers, and what must stand in them.
//!
//! The first line of a table names its columns, the classes of callers. Each further line is a request and what each
//! class is answered: one status, or two where what exists and what does not are answered differently.

use std::collections::BTreeSet;

use reqwest::Method;

use super::callers::Class;

/// What one class is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Where the repository exists.
    pub(super) there: u16,
    /// Where it does not.
    pub(super) absent: u16,
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (there, absent) = text.split_once('/').unwrap_or((text, text));
        Some(Self { there: there.parse().ok()?, absent: absent.parse().ok()? })
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.there == self.absent {
            return f.pad(&self.there.to_string());
        }
        f.pad(&format!("{}/{}", self.there, self.absent))
    }
}

/// A request and its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) method: Method,
    /// The path (and query) with `{…}` where the stage fills something in.
    pub(super) path: String,
    pub(super) answers: Vec<(Class, Answer)>,
}

impl Row {
    /// What it asks for, for a person.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether nothing is to be changed by it.
    pub(super) fn only_reads(&self) -> bool {
        self.method == Method::GET
    }
}

/// Reads a table; panics at a line that is not one of it.
pub(super) fn parse(table: &str) -> Vec<Row> {
    let mut lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    let columns = lines.next().and_then(|line| line.strip_prefix('|')).expect("the first line names the classes");
    let columns: Vec<Class> = columns.split_whitespace().map(Class::parse).collect();
    let row = |line: &str| {
        let (request, answers) = line.split_once('|').unwrap_or_else(|| panic!("no | in {line}"));
        let (method, path) = request.trim().split_once(' ').unwrap_or_else(|| panic!("no method in {line}"));
        let answers: Vec<_> = answers.split_whitespace().map(Answer::parse).collect();
        assert_eq!(answers.len(), columns.len(), "one answer for each class: {line}");
        let answers = columns
            .iter()
            .zip(answers)
            .map(|(class, answer)| (*class, answer.unwrap_or_else(|| panic!("an answer is 200 or 200/404: {line}"))));
        Row { method: method.parse().unwrap(), path: path.trim().to_owned(), answers: answers.collect() }
    };
    lines.map(row).collect()
}

/// A table as it is written, from what was answered.
pub(super) fn write(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name().len()).max().unwrap_or_default();
    let line = |head: &str, cells: Vec<String>| {
        let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:7}")).collect();
        format!("{head:width$} | {}", cells.join(" ")).trim_end().to_owned()
    };
    let classes = rows[0].answers.iter().map(|(class, _)| class.name().to_owned()).collect();
    let mut lines = vec![line("", classes)];
    lines.extend(rows.iter().map(|row| line(&row.name(), row.answers.iter().map(|(_, a)| a.to_string()).collect())));
    lines.join("\n")
}

/// What is wrong with a table: `required` endpoints that no row asks for, rows that ask for none, and rows that stand
/// there twice. `endpoint` says which one a row asks for.
pub(super) fn faults(rows: &[Row], required: &[String], endpoint: impl Fn(&Row) -> Option<String>) -> Vec<String> {
    let (mut faults, mut found, mut seen) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for row in rows {
        if !seen.insert(row.name()) {
            faults.push(format!("{} stands twice", row.name()));
        }
        match endpoint(row) {
            Some(name) => _ = found.insert(name),
            None => faults.push(format!("{} asks for nothing that there is", row.name())),
        }
    }
    let missing = required.iter().filter(|name| !found.contains(*name));
    faults.extend(missing.map(|name| format!("no row asks for {name}")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "
                    | nobody  stranger owner
        GET /a      | 401     404      200/404
        DELETE /a/b | 401     404      204
    ";

    fn endpoint(row: &Row) -> Option<String> {
        (row.path.starts_with("/a")).then(|| row.name())
    }

    #[test]
    fn a_table_is_read_and_written() {
        let rows = parse(TABLE);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].answers[2], (Class::Owner, Answer { there: 200, absent: 404 }));
        assert_eq!(rows[1].answers[1], (Class::Stranger, Answer { there: 404, absent: 404 }));
        assert_eq!(parse(&write(&rows)), rows);
    }

    /// The check of the tables can fail.
    #[test]
    fn what_is_missing_is_named() {
        let rows = parse(TABLE);
        let required = ["GET /a".to_owned(), "DELETE /a/b".to_owned()];
        assert_eq!(faults(&rows, &required, endpoint), Vec::<String>::new());
        assert_eq!(faults(&rows[..1], &required, endpoint), ["no row asks for DELETE /a/b"]);
        let mut twice = rows.clone();
        twice.push(rows[0].clone());
        assert_eq!(faults(&twice, &required, endpoint), ["GET /a stands twice"]);
        let stale = parse("| owner\nGET /gone | 200");
        assert_eq!(faults(&stale, &[], endpoint), ["GET /gone asks for nothing that there is"]);
    }

    #[test]
    fn a_line_that_is_none_is_refused() {
        for wrong in ["| owner\nGET /a 200", "| owner\nGET /a | 200 200", "| owner\nGET /a | yes", "| king\n", "owner"]
        {
            assert!(std::panic::catch_unwind(|| parse(wrong)).is_err(), "{wrong}");
        }
    }
}
