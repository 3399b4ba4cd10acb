//! What becomes of the figures: a table, JSON, and the generated part of `docs/performance.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::machine::Machine;
use crate::measure::{Asked, Cell, Fact, Measured, Section, figure};
use crate::options::Options;
use crate::targets::{DISK, NGINX, OURS};
use crate::{Result, plot};

const BEGIN: &str = "<!-- make bench: begin -->";
const END: &str = "<!-- make bench: end -->";

/// A run's outcome.
pub(crate) struct Report<'b> {
    /// Where.
    pub(crate) machine: &'b Machine,
    /// How.
    pub(crate) options: &'b Options,
    /// What came out.
    pub(crate) sections: Vec<Section>,
    /// What else must be said.
    pub(crate) notes: Vec<String>,
}

impl Report<'_> {
    /// The generated part, in Markdown, which reads well on a terminal too.
    pub(crate) fn table(&self) -> String {
        let Machine { cpu, kernel, memory, date, load, .. } = self.machine;
        let form = if self.options.short() { "the short form" } else { "the full form" };
        let mut text = format!(
            "{date}, {form}: {} rounds of {} s. {cpu}, {}; {memory} of memory; {kernel}; load average at the start \
             {load}.\n",
            self.options.rounds(),
            self.options.duration().as_secs_f64(),
            self.machine.shares(),
        );
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        for section in &self.sections {
            match section {
                Section::Rows(title, rows) if !rows.is_empty() => self::rows(&mut text, title, rows),
                Section::Growth(title, rows) if !rows.is_empty() => growth(&mut text, title, rows),
                Section::Facts(title, facts) if !facts.is_empty() => self::facts(&mut text, title, facts),
                _ => {}
            }
        }
        text
    }

    /// Everything, for programs.
    pub(crate) fn json(&self) -> String {
        let sections: Vec<Value> = self.sections.iter().map(section_json).collect();
        let Machine { cpu, kernel, memory, date, load, .. } = self.machine;
        let all = json!({
            "date": date, "cpu": cpu, "cores": self.machine.shares(), "kernel": kernel, "memory": memory, "load": load,
            "short": self.options.short(), "rounds": self.options.rounds(),
            "seconds": self.options.duration().as_secs_f64(), "notes": self.notes, "sections": sections,
        });
        format!("{all:#}\n")
    }

    /// Writes the generated part into `docs/performance.md`, and the plot beside it.
    pub(crate) fn write(&self) -> Result<()> {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        fs::create_dir_all(&docs)?;
        let file = docs.join("performance.md");
        let old = fs::read_to_string(&file).unwrap_or_else(|_| format!("# Performance\n\n{BEGIN}\n{END}\n"));
        let (before, rest) = old.split_once(BEGIN).ok_or("docs/performance.md has lost its markers")?;
        let (_, after) = rest.split_once(END).ok_or("docs/performance.md has lost its markers")?;
        fs::write(file, format!("{before}{BEGIN}\n{}{END}{after}", self.table()))?;
        let rows = self.sections.iter().flat_map(|section| match section {
            Section::Rows(_, rows) => rows.as_slice(),
            _ => &[],
        });
        Ok(fs::write(docs.join("performance.svg"), plot::plot(&rows.collect::<Vec<_>>()))?)
    }
}

fn rows(text: &mut String, title: &str, rows: &[Measured]) {
    let targets = targets(rows);
    let _ = write!(text, "\n### {title}\n\n| row |");
    for target in &targets {
        let _ = write!(text, " {target} |");
    }
    let _ = writeln!(
        text,
        " p50 / p99, ms | peak · own, MiB | asked: is |\n|---|{}---|---|---|",
        "---|".repeat(targets.len())
    );
    for row in rows {
        let _ = write!(text, "| {} ({}, CPU {}) |", row.name, row.unit.rate(), row.unit.cpu());
        for target in &targets {
            let _ = write!(text, " {} |", row.cell(target).map_or("–".to_owned(), |cell| against(row, cell)));
        }
        let ours = row.cells.first();
        let latency = ours.and_then(Cell::latency);
        let latency = latency.map_or("–".to_owned(), |(p50, p99)| format!("{} / {}", figure(p50), figure(p99)));
        let _ = writeln!(text, " {latency} | {} | {} |", memory(ours), judged(row, &row.asked));
    }
}

/// The peak, and what was the server's own in the end.
fn memory(cell: Option<&Cell>) -> String {
    let both = cell.and_then(|cell| Some((cell.peak()?, cell.own()?)));
    both.map_or("–".to_owned(), |(peak, own)| format!("{} · {}", figure(peak), figure(own)))
}

/// The targets of these rows, registries before limits, each once.
fn targets(rows: &[Measured]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for cell in rows.iter().flat_map(|row| &row.cells) {
        if !names.contains(&cell.target) {
            names.push(cell.target.clone());
        }
    }
    names.sort_by_key(|name| [NGINX, DISK].contains(&name.as_str()));
    names
}

/// Rate and CPU of a target and, for others than ours, how ours compares: so many times the rate, so many times less CPU.
fn against(row: &Measured, cell: &Cell) -> String {
    let Some(rate) = cell.rate() else { return cell.failed.clone().unwrap_or("–".to_owned()) };
    let ours = cell.target == OURS;
    let compared = |ratio: Option<f64>| match ratio {
        Some(ratio) if !ours => format!(" (×{})", figure(ratio)),
        _ => String::new(),
    };
    let mut text = format!("{}{}", figure(rate), compared(row.rate_over(&cell.target)));
    if let Some(cpu) = cell.cpu() {
        let _ = write!(text, " · {}{}", figure(cpu), compared(row.cpu_under(&cell.target)));
    }
    text
}

fn judged(row: &Measured, asked: &[Asked]) -> String {
    let each = asked.iter().map(|asked| match asked.judge(row) {
        (what, Some((is, true))) => format!("{what}: {is}, met"),
        (what, Some((is, false))) => format!("{what}: {is}, **not met**"),
        (what, None) => format!("{what}: not measured"),
    });
    each.collect::<Vec<_>>().join("; ")
}

fn growth(text: &mut String, title: &str, rows: &[Measured]) {
    let targets = targets(rows);
    let _ = write!(text, "\n### {title}: tags in one repository, a tenth as many manifests\n\n| row |");
    for target in &targets {
        let _ = write!(text, " {target} |");
    }
    let _ = writeln!(text, " largest ÷ smallest, CPU | asked: is |\n|---|{}---|---|", "---|".repeat(targets.len()));
    for row in rows {
        let _ = write!(text, "| {} ({}, CPU {}) |", row.name, row.unit.rate(), row.unit.cpu());
        for cell in &row.cells {
            let rate = cell.rate().map_or_else(|| cell.failed.clone().unwrap_or_default(), figure);
            let _ = write!(text, " {rate} · {} |", cell.cpu().map_or("–".to_owned(), figure));
        }
        let times = row.cells.last().and_then(|largest| row.cpu_under(&largest.target));
        let word = times.map_or("not measured", |times| if times <= 2.0 { "met" } else { "**not met**" });
        let mut asked = format!("within 2 ×: {word}");
        if let Some(largest) = row.cells.last() {
            // The limit holds for the largest store.
            let alone = Measured { cells: vec![largest.clone()], ..row.clone() };
            for part in [judged(&alone, &row.asked)].iter().filter(|part| !part.is_empty()) {
                let _ = write!(asked, "; {part}");
            }
        }
        let _ = writeln!(text, " {} | {asked} |", times.map_or("–".to_owned(), figure));
    }
}

fn facts(text: &mut String, title: &str, facts: &[Fact]) {
    let mut targets: Vec<&str> = Vec::new();
    for (target, _) in facts.iter().flat_map(|fact| &fact.values) {
        if !targets.contains(&target.as_str()) {
            targets.push(target);
        }
    }
    let _ = writeln!(
        text,
        "\n### {title}\n\n| | {} | asked |\n|---|{}---|",
        targets.join(" | "),
        "---|".repeat(targets.len())
    );
    for fact in facts {
        let _ = write!(text, "| {}, {} |", fact.name, fact.unit);
        for target in &targets {
            let value = fact.values.iter().find(|(name, _)| name == target);
            let _ = write!(text, " {} |", value.map_or("–".to_owned(), |(_, value)| figure(*value)));
        }
        let verdict = match fact.met() {
            None => String::new(),
            Some(true) => format!("{}: met", fact.asked),
            Some(false) => format!("{}: **not met**", fact.asked),
        };
        let _ = writeln!(text, " {verdict} |");
    }
}

fn section_json(section: &Section) -> Value {
    match section {
        Section::Rows(title, rows) | Section::Growth(title, rows) => {
            let rows: Vec<Value> = rows.iter().map(row_json).collect();
            json!({ "title": title, "rows": rows })
        }
        Section::Facts(title, facts) => {
            let facts: Vec<Value> = facts
                .iter()
                .map(|fact| {
                    let values: serde_json::Map<String, Value> =
                        fact.values.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                    json!({ "name": fact.name, "unit": fact.unit, "values": values, "asked": fact.asked, "met": fact.met() })
                })
                .collect();
            json!({ "title": title, "facts": facts })
        }
    }
}

fn row_json(row: &Measured) -> Value {
    let cells: Vec<Value> = row
        .cells
        .iter()
        .map(|cell| {
            let rounds: Vec<Value> = cell
                .samples
                .iter()
                .flatten()
                .map(|sample| {
                    let crate::measure::Sample { rate, cpu, p50, p99, peak, own } = sample;
                    json!({ "rate": rate, "cpu": cpu, "p50_ms": p50, "p99_ms": p99, "peak_mib": peak, "own_mib": own })
                })
                .collect();
            json!({ "target": cell.target, "rate": cell.rate(), "cpu": cell.cpu(), "peak_mib": cell.peak(),
                    "rounds": rounds, "failed": cell.failed })
        })
        .collect();
    let asked: Vec<Value> = row
        .asked
        .iter()
        .map(|asked| {
            let (what, is) = asked.judge(row);
            json!({ "asked": what, "is": is.as_ref().map(|(is, _)| is), "met": is.as_ref().map(|(_, met)| met) })
        })
        .collect();
    json!({ "name": row.name, "rate_unit": row.unit.rate(), "cpu_unit": row.unit.cpu(), "targets": cells, "asked": asked })
}
