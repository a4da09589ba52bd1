//! Line plots as inline SVG. Colours come from the page's style sheet by the number of a series, so that light and
//! dark are the page's business.

use std::fmt::Write as _;

use super::escaped;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;
/// About so many ticks on an axis.
const TICKS: f64 = 5.0;

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero, evenly.
    Linear,
    /// By powers of ten.
    Log,
    /// Percentiles: 90, 99 and 99.9 % are equally far apart.
    Percentile,
}

/// A line.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// In the legend; lines of the same name have one entry there.
    pub(super) name: String,
    /// Which colour, from 0.
    pub(super) colour: usize,
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) x: (&'static str, Scale),
    pub(super) y: (&'static str, Scale),
    pub(super) write_y: fn(f64) -> String,
    pub(super) series: Vec<Series>,
}

/// An axis with its bounds, in what its scale makes of values.
struct Axis {
    scale: Scale,
    least: f64,
    most: f64,
}

impl Scale {
    /// `None`: there is no place for it.
    fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::Percentile => -(1.0 - value / 100.0).log10(),
        };
        place.is_finite().then_some(place)
    }
}

impl Axis {
    fn over(scale: Scale, values: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for place in values.filter_map(|value| scale.place(value)) {
            (least, most) = (least.min(place), most.max(place));
        }
        if least > most {
            return None;
        }
        match scale {
            Scale::Linear => least = least.min(0.0),
            // Whole decades would waste half of a plot; a tenth of one is air enough.
            Scale::Log => (least, most) = (least - 0.1, most + 0.1),
            Scale::Percentile => least = 0.0,
        }
        if most - least < 1e-9 {
            most = least + 1.0;
        }
        Some(Self { scale, least, most })
    }

    /// `0.0..=1.0` from the beginning to the end. `None`: there is no place for it.
    fn part(&self, value: f64) -> Option<f64> {
        let place = self.scale.place(value)?;
        Some(((place - self.least) / (self.most - self.least)).clamp(0.0, 1.0))
    }

    /// Values worth a line, at most a dozen.
    fn ticks(&self) -> Vec<f64> {
        let within = |value: &f64| {
            let place = self.scale.place(*value);
            place.is_some_and(|it| it >= self.least - 1e-9 && it <= self.most + 1e-9)
        };
        match self.scale {
            Scale::Percentile => [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999]
                .into_iter()
                .filter(within)
                .collect(),
            Scale::Log => {
                let decades = (-6..=9).map(|power| 10_f64.powi(power));
                let steps: &[f64] = if self.most - self.least < 2.5 {
                    &[1.0, 2.0, 5.0]
                } else {
                    &[1.0]
                };
                decades
                    .flat_map(|decade| steps.iter().map(move |step| step * decade))
                    .filter(within)
                    .collect()
            }
            Scale::Linear => {
                let step = nice((self.most - self.least) / TICKS);
                let first = (self.least / step).ceil();
                (0_u32..12)
                    .map(|number| (first + f64::from(number)) * step)
                    .filter(within)
                    .collect()
            }
        }
    }
}

/// The nearest above of 1, 2 and 5 times a power of ten.
fn nice(step: f64) -> f64 {
    let decade = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|times| times * decade >= step - 1e-12);
    times.unwrap_or(10.0) * decade
}

impl Plot {
    /// Whether there is anything to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.series.iter().all(|it| it.points.is_empty())
    }

    /// As a `<figure>`. Empty where there is nothing to draw.
    pub(super) fn figure(&self) -> String {
        let points = || self.series.iter().flat_map(|it| &it.points);
        let axes =
            Axis::over(self.x.1, points().map(|it| it.0)).zip(Axis::over(self.y.1, points().map(|it| it.1)));
        let Some((x, y)) = axes else {
            return String::new();
        };
        let mut text = format!(
            "<figure><figcaption>{}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escaped(self.title),
            escaped(self.title),
        );
        self.grid(&mut text, &x, &y);
        for series in &self.series {
            line(&mut text, series, &x, &y);
        }
        text.push_str("</svg>\n");
        self.legend(&mut text);
        text.push_str("</figure>\n");
        text
    }

    fn grid(&self, text: &mut String, x: &Axis, y: &Axis) {
        for value in y.ticks() {
            let Some(at) = y.part(value).map(down) else {
                continue;
            };
            let _ = writeln!(
                text,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0,
                escaped(&(self.write_y)(value)),
            );
        }
        for value in x.ticks() {
            let Some(at) = x.part(value).map(across) else {
                continue;
            };
            let _ = writeln!(
                text,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
                 <text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 16.0,
                on_axis(value),
            );
        }
        let _ = writeln!(
            text,
            "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"mid\" transform=\"translate(13 {:.1}) rotate(-90)\">{}</text>",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 8.0,
            escaped(self.x.0),
            f64::midpoint(TOP, HEIGHT - BOTTOM),
            escaped(self.y.0),
        );
    }

    /// Nothing where there is one name only.
    fn legend(&self, text: &mut String) {
        let mut seen: Vec<&str> = Vec::new();
        let mut entries = String::new();
        for series in &self.series {
            if !seen.contains(&series.name.as_str()) {
                seen.push(&series.name);
                let _ = write!(
                    entries,
                    "<span class=\"name\"><span class=\"dot c{}\"></span>{}</span>",
                    series.colour,
                    escaped(&series.name)
                );
            }
        }
        if seen.len() > 1 {
            let _ = writeln!(text, "<p class=\"legend\">{entries}</p>");
        }
    }
}

fn line(text: &mut String, series: &Series, x: &Axis, y: &Axis) {
    let place = |(at, value): &(f64, f64)| Some((across(x.part(*at)?), down(y.part(*value)?)));
    let mut places = series.points.iter().filter_map(place).peekable();
    if places.peek().is_none() {
        return;
    }
    let _ = write!(text, "<polyline class=\"c{}\" points=\"", series.colour);
    for (at, value) in places {
        let _ = write!(text, "{at:.1},{value:.1} ");
    }
    text.push_str("\"/>\n");
}

/// A number on an axis, without the dust of arithmetic.
pub(super) fn on_axis(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn across(part: f64) -> f64 {
    LEFT + part * (WIDTH - LEFT - RIGHT)
}

fn down(part: f64) -> f64 {
    HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: &[(f64, f64)], x: Scale, y: Scale) -> Plot {
        Plot {
            title: "a <b>",
            x: ("x", x),
            y: ("y", y),
            write_y: |value| format!("{value:.3}"),
            series: vec![
                Series {
                    name: "one & only".to_owned(),
                    colour: 0,
                    points: points.to_vec(),
                },
                Series {
                    name: "another".to_owned(),
                    colour: 1,
                    points: Vec::new(),
                },
            ],
        }
    }

    fn axis(scale: Scale, values: &[f64]) -> Axis {
        Axis::over(scale, values.iter().copied()).unwrap()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(
            axis(Scale::Linear, &[3.0, 950.0]).ticks(),
            [0.0, 200.0, 400.0, 600.0, 800.0]
        );
        assert_eq!(
            axis(Scale::Percentile, &[0.0, 99.95]).ticks(),
            [0.0, 50.0, 90.0, 99.0, 99.9]
        );
        for values in [[1e-3, 1e6], [100.0, 101.0], [5.0, 5.0], [0.02, 40.0]] {
            let ticks = axis(Scale::Log, &values).ticks();
            assert!(ticks.len() <= 12, "{ticks:?}");
        }
    }

    #[test]
    fn names_are_escaped_and_lines_stay_within_the_plot() {
        let text = plot(
            &[(0.0, 1.0), (50.0, 10.0), (100.0, 1e9)],
            Scale::Percentile,
            Scale::Log,
        )
        .figure();
        assert!(
            text.contains("a &lt;b&gt;") && text.contains("one &amp; only"),
            "{text}"
        );
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert_eq!(text.matches("<svg").count(), text.matches("</svg>").count());
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(plot(&[], Scale::Linear, Scale::Linear).figure(), "");
        assert_eq!(
            plot(&[(f64::NAN, 1.0)], Scale::Linear, Scale::Linear).figure(),
            ""
        );
        let flat = plot(&[(0.0, 0.0), (1.0, 0.0)], Scale::Linear, Scale::Linear).figure();
        assert!(flat.contains("polyline") && !flat.contains("NaN"), "{flat}");
    }
}
