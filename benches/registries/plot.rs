//! The plot: CPU of one operation, a bar for each target, on a logarithmic scale.

use std::fmt::Write as _;

use crate::measure::{Cell, Measured, figure};
use crate::targets::{DEBIAN, NGINX, OURS};

/// Widths and heights in pixels: of the whole, of the names on the left, of what stands to the right of the bars.
const WIDTH: f64 = 900.0;
const NAMES: f64 = 300.0;
const VALUES: f64 = 70.0;
const BAR: f64 = 9.0;
const GAP: f64 = 8.0;
const TITLE: f64 = 46.0;

/// A colour that is seen on white and on black.
fn colour(target: &str) -> &'static str {
    match target {
        OURS => "#2f7fd1",
        DEBIAN => "#c2723a",
        NGINX => "#8d949c",
        "distribution v3" => "#a88b2d",
        "zot" => "#5c9a63",
        _ => "#9a74b5",
    }
}

/// The whole picture: one panel for each unit.
pub(crate) fn plot(rows: &[&Measured]) -> String {
    let mut body = String::new();
    let mut top = legend(&mut body, rows);
    for unit in ["µs", "s/GiB", "ms"] {
        let panel: Vec<&Measured> =
            rows.iter().copied().filter(|row| row.unit.cpu() == unit && has_bars(row)).collect();
        if !panel.is_empty() {
            top = self::panel(&mut body, &panel, unit, top);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"CPU of one operation by registry, logarithmic scale\">\n<style>text \
         {{ fill: #57606a }} .grid {{ stroke: #57606a; stroke-opacity: .25 }} @media (prefers-color-scheme: dark) {{ \
         text {{ fill: #a5adb7 }} .grid {{ stroke: #a5adb7 }} }}</style>\n{body}</svg>\n"
    )
}

fn has_bars(row: &Measured) -> bool {
    row.cells.iter().any(|cell| cell.cpu().is_some_and(|cpu| cpu > 0.0))
}

fn legend(body: &mut String, rows: &[&Measured]) -> f64 {
    let mut names: Vec<&str> = Vec::new();
    for cell in rows.iter().flat_map(|row| &row.cells).filter(|cell| cell.cpu().is_some()) {
        if !names.contains(&cell.target.as_str()) {
            names.push(&cell.target);
        }
    }
    let mut left = NAMES;
    for name in names {
        let _ = writeln!(
            body,
            "<rect x=\"{left}\" y=\"10\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{}\" y=\"20\">{}</text>",
            colour(name),
            left + 17.0,
            escape(name)
        );
        left += 40.0 + 7.0 * name.chars().count() as f64;
    }
    26.0
}

/// Draws a panel from `top` on and returns where it ends.
fn panel(body: &mut String, rows: &[&Measured], unit: &str, top: f64) -> f64 {
    let values = rows.iter().flat_map(|row| &row.cells).filter_map(Cell::cpu).filter(|cpu| *cpu > 0.0);
    let (cheapest, dearest) = values.fold((f64::MAX, f64::MIN), |(low, high), cpu| (cpu.min(low), cpu.max(high)));
    let (low, high) = (cheapest.log10().floor(), dearest.log10().ceil().max(cheapest.log10().floor() + 1.0));
    let scale = (WIDTH - NAMES - VALUES) / (high - low);
    let at = |value: f64| (value.log10() - low).max(0.0) * scale;
    let bars = |row: &Measured| row.cells.iter().filter(|cell| cell.cpu().is_some_and(|cpu| cpu > 0.0)).count() as f64;
    let height: f64 = rows.iter().map(|row| bars(row) * BAR + GAP).sum();
    let begin = top + TITLE;
    let _ = writeln!(
        body,
        "<text x=\"0\" y=\"{}\" font-weight=\"600\">CPU of one operation, {unit} (logarithmic; less is better)</text>",
        top + 24.0
    );
    let mut power = low;
    while power <= high {
        let x = NAMES + (power - low) * scale;
        let _ = writeln!(
            body,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{begin}\" y2=\"{:.1}\"/><text x=\"{x:.1}\" \
             y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{}</text>",
            begin + height,
            begin - 4.0,
            10f64.powf(power)
        );
        power += 1.0;
    }
    let mut y = begin + GAP / 2.0;
    for row in rows {
        let middle = y + bars(row) * BAR / 2.0 + 4.0;
        let name = escape(&row.name);
        let _ = writeln!(body, "<text x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>", NAMES - 8.0);
        for cell in &row.cells {
            let Some(cpu) = cell.cpu().filter(|cpu| *cpu > 0.0) else { continue };
            let _ = writeln!(
                body,
                "<rect x=\"{NAMES}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/><text x=\"{:.1}\" \
                 y=\"{:.1}\" font-size=\"8\">{}</text>",
                at(cpu).max(1.0),
                BAR - 1.0,
                colour(&cell.target),
                NAMES + at(cpu).max(1.0) + 4.0,
                y + BAR - 2.0,
                figure(cpu)
            );
            y += BAR;
        }
        y += GAP;
    }
    begin + height + 10.0
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
