//! Pictures of numbers. Each has its numbers in words beside it; none depends on colour alone.

use ekv_text::human::{bytes, percent};

use super::markup::{Escaped, Html, share};
use super::treemap::{Rect, squarify};
use crate::see::report::{Totals, TreeNode};

/// How many times wider than high the map is on a wide screen.
const MAP_ASPECT: f64 = 3.4;
/// Parts of a map with less than this share of it have no text, in percent of width and height.
const TEXT_WIDTH_MIN: f64 = 7.0;
const TEXT_HEIGHT_MIN: f64 = 8.0;
/// Most parts of an area, the share of it that each has at least (one in so many), and the least area that is shared out, in 10,000ths.
const PARTS_MAX: usize = 12;
const PART_MIN: u64 = 40;
const SHARED_AREA_MIN: f64 = 600.0;

/// Columns side by side, each with what it says to those who point at it, and all of it in words.
pub(super) fn columns(html: &mut Html, class: &str, alternative: &str, columns: &[(u64, String)]) {
    let most = columns.iter().map(|(number, _)| *number).max().unwrap_or(0);
    let count = u64::try_from(columns.len()).unwrap_or(u64::MAX);
    html.push(format_args!("<svg class=\"cols {class}\" role=img><title>{}</title>", Escaped(alternative)));
    html.push(format_args!("<rect class=base y=99% width=100% height=1% />"));
    for (at, (number, title)) in (0_u64..).zip(columns) {
        let height = if *number == 0 { "0%".to_owned() } else { share((*number).max(most / 50), most) };
        let top =
            if *number == 0 { "100%".to_owned() } else { share(most.saturating_sub((*number).max(most / 50)), most) };
        let (x, width) = (share(at, count), share(4, count.saturating_mul(5)));
        html.push(format_args!(
            "<rect x={x} y={top} width={width} height={height}><title>{}</title></rect>",
            Escaped(title)
        ));
    }
    html.push(format_args!("</svg>"));
}

/// A bar for a share, which stands beside the number.
pub(super) fn bar(part: u64, whole: u64, class: &str) -> String {
    format!("<svg class=\"b {class}\" aria-hidden=true><rect width={} /></svg>", share(part, whole))
}

/// The adapter that an address begins with.
pub(super) fn adapter_of(address: &str) -> &str {
    address.split(':').next().unwrap_or_default()
}

/// What a part of a map is called: what its address has behind that of what is around it.
fn short<'a>(address: &'a str, around: &str) -> &'a str {
    address.strip_prefix(around.trim_end_matches('*')).unwrap_or(address)
}

/// Where the bytes are: every scope an area, shared out among what is largest in it.
pub(super) fn map(html: &mut Html, roots: &[TreeNode], others: Option<&Totals>, all: &Totals) {
    let mut weights: Vec<f64> = roots.iter().map(|root| weight(root.totals.bytes)).collect();
    let alternative = roots
        .iter()
        .map(|root| format!("{} {}", root.address, percent(root.totals.bytes, all.bytes)))
        .chain(others.map(|others| format!("others {}", percent(others.bytes, all.bytes))))
        .take(PARTS_MAX)
        .collect::<Vec<_>>()
        .join(", ");
    weights.extend(others.map(|others| weight(others.bytes)));
    html.push(format_args!("<svg class=map role=img><title>Shares of the payload: {}</title>", Escaped(alternative)));
    let places = squarify(&weights, Rect::ALL, MAP_ASPECT);
    for (place, root) in places.iter().zip(roots) {
        area(html, *place, root, adapter_of(&root.address), &root.address);
    }
    if let (Some(place), Some(others)) = (places.get(roots.len()), others) {
        part(html, place, "", ("others", "others"), others.bytes);
    }
    html.push(format_args!("</svg>"));
}

/// The area of a node, shared out among what is large in it as long as there is room.
fn area(html: &mut Html, place: Rect, node: &TreeNode, class: &str, shown: &str) {
    let is_large = |child: &&TreeNode| child.totals.bytes.saturating_mul(PART_MIN) > node.totals.bytes;
    let children: Vec<&TreeNode> = node.children.iter().filter(is_large).take(PARTS_MAX).collect();
    if children.is_empty() || place.width * place.height < SHARED_AREA_MIN {
        part(html, &place, class, (&node.address, shown), node.totals.bytes);
        return;
    }
    let mut rest = node.totals;
    children.iter().for_each(|child| rest = rest.without(&child.totals));
    // What is left over has its place by its size, too.
    let before = children.iter().filter(|child| child.totals.bytes >= rest.bytes).count();
    let mut parts: Vec<Option<&TreeNode>> = children.into_iter().map(Some).collect();
    if rest.bytes > 0 {
        parts.insert(before, None);
    }
    let weights: Vec<f64> =
        parts.iter().map(|part| weight(part.map_or(rest.bytes, |child| child.totals.bytes))).collect();
    for (at, (place, child)) in squarify(&weights, place, MAP_ASPECT).into_iter().zip(parts).enumerate() {
        // The first part says what it is a part of.
        let lead = if at == 0 { shown.trim_end_matches('*') } else { "" };
        let name = child.map_or("others", |child| short(&child.address, &node.address));
        let shown = [lead, name].concat();
        match child {
            Some(child) => area(html, place, child, class, &shown),
            None => part(html, &place, class, (&format!("{}, others", node.address), &shown), rest.bytes),
        }
    }
}

fn part(html: &mut Html, place: &Rect, class: &str, (title, shown): (&str, &str), size: u64) {
    let Rect { x, y, width, height } = place;
    if *width < 0.05 || *height < 0.05 {
        return;
    }
    html.push(format_args!("<svg x={x:.2}% y={y:.2}% width={width:.2}% height={height:.2}%>"));
    html.push(format_args!("<title>{}: {}</title>", Escaped(title), bytes(size)));
    html.push(format_args!("<rect class=\"{class}\" width=100% height=100% rx=3 />"));
    if *width >= TEXT_WIDTH_MIN && *height >= TEXT_HEIGHT_MIN {
        let shown: String = shown.chars().take(60).collect();
        html.push(format_args!("<text class=n x=9 y=21>{}</text>", Escaped(shown)));
        if *height >= 2.0 * TEXT_HEIGHT_MIN {
            html.push(format_args!("<text x=9 y=40>{}</text>", bytes(size)));
        }
    }
    html.push(format_args!("</svg>"));
}

/// A number as a weight, as precise as a picture has to be.
fn weight(number: u64) -> f64 {
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}
