//! An area that is shared out so that every part has the size of its number, and parts are as square as they can be.

/// A place on an area, in percent of its width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    /// All of it.
    pub(super) const ALL: Rect = Rect { x: 0.0, y: 0.0, width: 100.0, height: 100.0 };
}

/// Shares `area` out among `weights`, which descend; in the order of the weights. `aspect` is how many times wider than high the area is drawn.
///
/// The algorithm is that of squarified treemaps (Bruls, Huizing and van Wijk, 2000): rows along the shorter side, each as long as its parts
/// become squarer.
pub(super) fn squarify(weights: &[f64], area: Rect, aspect: f64) -> Vec<Rect> {
    let sum: f64 = weights.iter().sum();
    let mut places = Vec::with_capacity(weights.len());
    if sum <= 0.0 || aspect <= 0.0 {
        return vec![Rect { width: 0.0, height: 0.0, ..area }; weights.len()];
    }
    let mut left = area;
    let mut rest = weights;
    let mut sum = sum;
    while !rest.is_empty() {
        let is_wide = left.width * aspect >= left.height;
        // In drawn units: the side along which the row lies, and the other one.
        let (along, across) =
            if is_wide { (left.height, left.width * aspect) } else { (left.width * aspect, left.height) };
        let worst = |row: &[f64]| {
            let row_sum: f64 = row.iter().sum();
            let thickness = across * row_sum / sum;
            let worst_of = |weight: &f64| {
                let length = along * weight / row_sum;
                if length <= 0.0 || thickness <= 0.0 { f64::MAX } else { (length / thickness).max(thickness / length) }
            };
            row.iter().map(worst_of).fold(0.0, f64::max)
        };
        let mut len = 1;
        while let (Some(row), Some(longer)) = (rest.get(..len), rest.get(..len.saturating_add(1))) {
            if worst(longer) > worst(row) {
                break;
            }
            len = len.saturating_add(1);
        }
        let (row, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        let row_sum: f64 = row.iter().sum();
        let part = if sum > 0.0 { row_sum / sum } else { 0.0 };
        let mut at = 0.0;
        for weight in row {
            let share = if row_sum > 0.0 { weight / row_sum } else { 0.0 };
            places.push(match is_wide {
                true => Rect {
                    x: left.x,
                    y: left.y + at * left.height,
                    width: left.width * part,
                    height: left.height * share,
                },
                false => Rect {
                    x: left.x + at * left.width,
                    y: left.y,
                    width: left.width * share,
                    height: left.height * part,
                },
            });
            at += share;
        }
        match is_wide {
            true => {
                left.x += left.width * part;
                left.width *= 1.0 - part;
            }
            false => {
                left.y += left.height * part;
                left.height *= 1.0 - part;
            }
        }
        sum -= row_sum;
        rest = behind;
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn areas_are_those_of_the_numbers_and_lie_inside(mut weights in prop::collection::vec(1_u32..10_000, 1..40)) {
            weights.sort_unstable_by(|one, other| other.cmp(one));
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let sum: f64 = weights.iter().sum();
            let places = squarify(&weights, Rect::ALL, 3.0);
            prop_assert_eq!(places.len(), weights.len());
            for (place, weight) in places.iter().zip(&weights) {
                prop_assert!((place.width * place.height - weight / sum * 10_000.0).abs() < 0.01, "{:?}", place);
                prop_assert!(place.x >= -1e-6 && place.y >= -1e-6);
                prop_assert!(place.x + place.width <= 100.0001 && place.y + place.height <= 100.0001, "{:?}", place);
            }
        }
    }

    #[test]
    fn nothing_to_share_out_takes_no_room() {
        assert_eq!(squarify(&[], Rect::ALL, 3.0), []);
        assert!(squarify(&[0.0, 0.0], Rect::ALL, 3.0).iter().all(|place| place.width == 0.0));
    }
}
