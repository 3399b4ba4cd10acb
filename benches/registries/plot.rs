//! The plot: CPU of one operation, a bar for each target, on a logarithmic scale.

use std::fmt::Write as _;

use crate::measure::{Cell, Measured, figure};
use crate::targets::{DEBIAN, NGINX, OURS};

/// Widths and heights in pixels: of the whole, of its margin, of one letter of a name, of what stands to the right of the
/// bars.
const WIDTH: f64 = 960.0;
const MARGIN: f64 = 16.0;
const LETTER: f64 = 6.9;
const VALUES: f64 = 64.0;
const BAR: f64 = 12.0;
const GAP: f64 = 10.0;
const TITLE: f64 = 56.0;

/// Light and dark: the picture brings its own ground, since it cannot know that of the page. Values have a rim of it,
/// for they may lie on a line of the grid.
const STYLE: &str = "\
.ground { fill: #ffffff } text { fill: #3d444d } .value { stroke: #ffffff } .grid { stroke: #3d444d; stroke-opacity: .25 }
.value { font-size: 10px; stroke-width: 3px; stroke-linejoin: round; paint-order: stroke }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 } text { fill: #c9d1d9 } .value { stroke: #0d1117 } .grid { stroke: #c9d1d9 }
}";

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
    let rows: Vec<&Measured> = rows.iter().copied().filter(|row| has_bars(row)).collect();
    let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let bars_at = MARGIN + LETTER * longest as f64 + 8.0;
    let mut body = String::new();
    let mut top = legend(&mut body, &rows);
    for unit in ["µs", "s/GiB", "ms"] {
        let panel: Vec<&Measured> = rows.iter().copied().filter(|row| row.unit.cpu() == unit).collect();
        if !panel.is_empty() {
            top = self::panel(&mut body, &panel, unit, bars_at, top);
        }
    }
    let height = top + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"CPU of one operation by registry, logarithmic scale\">\n\
         <style>\n{STYLE}\n</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n{body}</svg>\n"
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
    let mut left = MARGIN;
    for name in names {
        let _ = writeln!(
            body,
            "<rect x=\"{left}\" y=\"{MARGIN}\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>",
            colour(name),
            left + 17.0,
            MARGIN + 10.5,
            escape(name)
        );
        left += 40.0 + 7.0 * name.chars().count() as f64;
    }
    MARGIN + 16.0
}

/// Draws a panel from `top` on and returns where it ends.
fn panel(body: &mut String, rows: &[&Measured], unit: &str, bars_at: f64, top: f64) -> f64 {
    let values = rows.iter().flat_map(|row| &row.cells).filter_map(Cell::cpu).filter(|cpu| *cpu > 0.0);
    let (cheapest, dearest) = values.fold((f64::MAX, f64::MIN), |(low, high), cpu| (cpu.min(low), cpu.max(high)));
    let (low, high) = (cheapest.log10().floor(), dearest.log10().ceil().max(cheapest.log10().floor() + 1.0));
    let scale = (WIDTH - bars_at - VALUES) / (high - low);
    let at = |value: f64| (value.log10() - low).max(0.0) * scale;
    let bars = |row: &Measured| row.cells.iter().filter(|cell| cell.cpu().is_some_and(|cpu| cpu > 0.0)).count() as f64;
    let height: f64 = rows.iter().map(|row| bars(row) * BAR + GAP).sum();
    let begin = top + TITLE;
    let _ = writeln!(
        body,
        "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"600\">{}, {unit} (logarithmic; less is better)</text>",
        top + 28.0,
        if unit == "s/GiB" { "CPU per amount" } else { "CPU of one operation" }
    );
    let mut power = low;
    while power <= high {
        let x = bars_at + (power - low) * scale;
        let _ = writeln!(
            body,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{begin}\" y2=\"{:.1}\"/><text x=\"{x:.1}\" \
             y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{} {unit}</text>",
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
        let _ = writeln!(body, "<text x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>", bars_at - 8.0);
        for cell in &row.cells {
            let Some(cpu) = cell.cpu().filter(|cpu| *cpu > 0.0) else { continue };
            let _ = writeln!(
                body,
                "<rect x=\"{bars_at:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/><text class=\"value\" \
                 x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                at(cpu).max(1.0),
                BAR - 1.0,
                colour(&cell.target),
                bars_at + at(cpu).max(1.0) + 5.0,
                y + BAR - 2.5,
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
