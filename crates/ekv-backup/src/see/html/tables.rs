//! Lists of rows. Each has a caption, heads and a bound.

use std::fmt::Display;

use ekv_text::human::{bytes, digits, percent};

use super::charts::{adapter_of, bar};
use super::markup::{Escaped, Html, NameTag};
use crate::see::report::{Label, OverwrittenRow, ScopeRow, TopRow, Totals, TreeNode, TypeRow, Weight};
use crate::time::format_unix_ms;

/// Most markup of the rows of a table, in bytes: seven of them make a page of less than 1 MiB.
const ROWS_LEN_MAX: usize = 120 << 10;

/// A table that is begun.
pub(super) struct Table<'h> {
    html: Html,
    heads: &'h [&'h str],
    start: usize,
    left_out: usize,
}

impl<'h> Table<'h> {
    /// Begins a table whose first column names the rows; `class` is `rows` where rows may be sorted and filtered.
    pub(super) fn new(class: &str, caption: impl Display, heads: &'h [&'h str]) -> Self {
        let mut html = Html::default();
        html.push(format_args!("<table class=\"{class}\"><caption>{}</caption><thead><tr>", Escaped(caption)));
        for head in heads {
            html.push(format_args!("<th scope=col>{head}</th>"));
        }
        html.push(format_args!("</tr></thead><tbody>"));
        let start = html.len();
        Table { html, heads, start, left_out: 0 }
    }

    /// Adds a row, if there is room for it: the name in markup, then the cells.
    pub(super) fn row(&mut self, indent: usize, name: impl Display, cells: &[Cell<'_>]) {
        let mut row = Html::default();
        let class = match indent {
            0 => String::new(),
            deep => format!(" class=i{}", deep.min(5)),
        };
        row.push(format_args!("<tr><th scope=row{class}>{name}</th>"));
        // A narrow screen shows the head of a cell in front of it.
        for (cell, head) in cells.iter().zip(self.heads.iter().skip(1)) {
            match cell {
                Cell::Text(text) => row.push(format_args!("<td data-h=\"{head}\">{text}</td>")),
                Cell::Number { number, text, bar } => {
                    row.push(format_args!("<td data-h=\"{head}\" data-v={number}>{text}{bar}</td>"));
                }
            }
        }
        row.push(format_args!("</tr>"));
        if self.html.len().saturating_sub(self.start).saturating_add(row.len()) > ROWS_LEN_MAX || self.left_out > 0 {
            self.left_out = self.left_out.saturating_add(1);
        } else {
            self.html.append(row);
        }
    }

    pub(super) fn finish(mut self, into: &mut Html) {
        self.html.push(format_args!("</tbody></table>"));
        if self.left_out > 0 {
            let rows = digits(u64::try_from(self.left_out).unwrap_or(u64::MAX));
            self.html.push(format_args!("<p class=mute>{rows} more rows: --json has all of them</p>"));
        }
        into.append(self.html);
    }
}

/// What stands in a row.
pub(super) enum Cell<'c> {
    /// Text of this program.
    Text(&'c str),
    /// A number by which rows are sorted, with its bar.
    Number { number: u64, text: String, bar: String },
}

/// A number of bytes, with a bar for its share.
fn size<'c>(number: u64, whole: u64, class: &str) -> Cell<'c> {
    Cell::Number { number, text: bytes(number), bar: bar(number, whole, class) }
}

fn number<'c>(number: u64) -> Cell<'c> {
    Cell::Number { number, text: digits(number), bar: String::new() }
}

fn share<'c>(part: u64, whole: u64) -> Cell<'c> {
    let permille = u128::from(part).saturating_mul(1000).checked_div(whole.into()).unwrap_or(0);
    Cell::Number { number: u64::try_from(permille).unwrap_or(1000), text: percent(part, whole), bar: String::new() }
}

/// What is not there.
const NONE: Cell<'_> = Cell::Text("–");

/// The share of keys that never expire, of Redis keys.
fn without_expiry<'c>(adapter: &str, totals: &Totals) -> Cell<'c> {
    if adapter == "redis" && totals.keys > 0 { share(totals.without_expiry, totals.keys) } else { NONE }
}

fn elements<'c>(totals: &Totals) -> Cell<'c> {
    if totals.elements > 0 { number(totals.elements) } else { NONE }
}

/// A little square in the colour of an adapter, which is named beside it.
fn dot(adapter: &str) -> String {
    format!("<svg class=dot aria-hidden=true><rect class={adapter} width=100% height=100% /></svg>")
}

pub(super) fn types(into: &mut Html, rows: &[TypeRow], all: &Totals) {
    let heads = ["Type", "Keys", "Bytes", "Share", "Elements", "Without expiry"];
    let mut table = Table::new("rows", "Keys, items, objects and messages by type", &heads);
    for TypeRow { adapter, kind, totals } in rows {
        let name = format!("{}{adapter} {kind}", dot(adapter));
        let cells = [
            number(totals.keys),
            size(totals.bytes, all.bytes, adapter),
            share(totals.bytes, all.bytes),
            elements(totals),
            without_expiry(adapter, totals),
        ];
        table.row(0, name, &cells);
    }
    table.finish(into);
}

pub(super) fn scopes(into: &mut Html, rows: &[ScopeRow], others: Option<(u64, &Totals)>, all: &Totals) {
    let heads = ["Database, table, bucket or queue", "Keys", "Bytes", "Share"];
    let mut table = Table::new("rows", "The largest ones by bytes", &heads);
    let cells = |adapter: &str, totals: &Totals| {
        [number(totals.keys), size(totals.bytes, all.bytes, adapter), share(totals.bytes, all.bytes)]
    };
    for ScopeRow { address, adapter, totals, .. } in rows {
        table.row(0, format!("{}{}", dot(adapter), NameTag(address)), &cells(adapter, totals));
    }
    if let Some((count, others)) = others {
        table.row(0, format!("{} others", digits(count)), &cells("", others));
    }
    table.finish(into);
}

pub(super) fn tree(into: &mut Html, roots: &[TreeNode]) {
    let heads = ["Names that begin with", "Keys", "Bytes", "Share", "Expire"];
    let caption = "The largest beginnings of names, each in the one around it; shares are of that";
    let mut table = Table::new("rows tree", caption, &heads);
    for root in roots {
        branch(&mut table, root, 0, &root.totals, adapter_of(&root.address));
    }
    table.finish(into);
}

fn branch(table: &mut Table<'_>, node: &TreeNode, indent: usize, around: &Totals, adapter: &str) {
    let cells = |totals: &Totals, around: &Totals| {
        let expire = match totals.keys.saturating_sub(totals.without_expiry) {
            0 => NONE,
            some => share(some, totals.keys),
        };
        let size = size(totals.bytes, around.bytes, adapter);
        [number(totals.keys), size, share(totals.bytes, around.bytes), expire]
    };
    table.row(indent, NameTag(&node.address), &cells(&node.totals, around));
    for child in &node.children {
        branch(table, child, indent.saturating_add(1), &node.totals, adapter);
    }
    if let Some(others) = &node.others {
        table.row(indent.saturating_add(1), "<span class=mute>others</span>", &cells(others, &node.totals));
    }
}

pub(super) fn top(into: &mut Html, caption: &str, rows: &[TopRow], by_elements: bool) {
    let mut table = Table::new("rows", caption, &["Name", "Bytes", "Elements"]);
    let most_bytes = rows.iter().map(|row| row.bytes).max().unwrap_or(0);
    let most_elements = rows.iter().filter_map(|row| row.elements).max().unwrap_or(0);
    for TopRow { name, adapter, kind, bytes: sum, elements, expire_at_ms } in rows {
        let expiry = expire_at_ms.map(|at| format!(", expires {}", format_unix_ms(at))).unwrap_or_default();
        let name = format!("{}<small>{kind}{expiry}</small>", NameTag(name));
        let bar_of =
            |is_wanted: bool, part: u64, most: u64| if is_wanted { bar(part, most, adapter) } else { String::new() };
        let size = Cell::Number { number: *sum, text: bytes(*sum), bar: bar_of(!by_elements, *sum, most_bytes) };
        let elements = elements.map_or(NONE, |number| Cell::Number {
            number,
            text: digits(number),
            bar: bar_of(by_elements, number, most_elements),
        });
        table.row(0, name, &[size, elements]);
    }
    table.finish(into);
}

pub(super) fn families<'f>(
    into: &mut Html,
    rows: impl Iterator<Item = (&'f str, &'f str, Weight, Weight, Weight)>,
    all: u64,
) {
    let heads = ["Key family", "Would be freed", "Older versions", "Deletions", "All bytes"];
    let mut table = Table::new("rows", "What a compaction of everything would free", &heads);
    for (family, owner, whole, older, deletions) in rows {
        let freed = older.bytes.saturating_add(deletions.bytes);
        let cells = [
            size(freed, all, owner),
            number(older.versions),
            number(deletions.versions),
            Cell::Number { number: whole.bytes, text: bytes(whole.bytes), bar: String::new() },
        ];
        table.row(0, format!("<code>{family}</code>"), &cells);
    }
    table.finish(into);
}

pub(super) fn overwritten(into: &mut Html, rows: &[OverwrittenRow]) {
    let caption = "What was overwritten most often, and how much of it is kept: all records of a thing together, such as the fields of a hash";
    let mut table = Table::new("rows", caption, &["Name", "Older versions", "Bytes"]);
    let most = rows.first().map_or(0, |row| row.overwritten.versions);
    for OverwrittenRow { name, stored_key, overwritten: Weight { versions, bytes: sum } } in rows {
        let stored = stored_key.as_ref().map(|key| format!("<small>item stored as {}</small>", NameTag(key)));
        let adapter = Label::address(name);
        let cells = [
            Cell::Number {
                number: *versions,
                text: digits(*versions),
                bar: bar(*versions, most, adapter_of(&adapter)),
            },
            Cell::Number { number: *sum, text: bytes(*sum), bar: String::new() },
        ];
        table.row(0, format!("{}{}", NameTag(name), stored.unwrap_or_default()), &cells);
    }
    table.finish(into);
}

/// A table of a word, a number of keys and their bytes.
pub(super) fn spans<'s>(into: &mut Html, caption: &str, rows: impl Iterator<Item = (&'s str, u64, u64)>) {
    let mut table = Table::new("plain", caption, &["Expires", "Keys", "Bytes"]);
    for (name, keys, sum) in rows {
        let sum = Cell::Number { number: sum, text: bytes(sum), bar: String::new() };
        table.row(0, Escaped(name), &[number(keys), sum]);
    }
    table.finish(into);
}
