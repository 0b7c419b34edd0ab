"""The quantities of a text; expected values were worked out by hand."""

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.quantities.reading import parsed_quantities, quantities, unattached_units
from llama_index_medqa.text.quantities.units import NAMES

DAY, WEEK, MONTH, YEAR = 86_400, 604_800, 2_629_800, 31_557_600


def told(text: str) -> list[tuple]:
    """Value and dimension of every quantity that a text tells (not those that it implies)."""
    return [(quantity.value, quantity.dimension) for quantity in quantities(text) if not quantity.implicit]


def approx(found: list[tuple]) -> list[tuple]:
    return [(pytest.approx(value, rel=1e-9), dimension) for value, dimension in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # numbers
        ("1,234 of 5.50 (95% CI 0.5-1.0)", [(1234, ""), (5.5, ""), (95, "confidence level"), (0.5, ""), (1, "")]),
        ("twenty-five patients", [(25, "")]),
        ("twenty-one or thirty-nine patients", [(21, ""), (39, "")]),
        ("twenty ten-year-olds", [(20, ""), (10 * YEAR, "time")]),
        ("one hundred and sixty-three women", [(163, "")]),
        ("two thousand five hundred births", [(2500, "")]),
        ("a dozen churches, half a dozen nurses", [(12, ""), (6, "")]),
        ("1.2 million people", [(1.2e6, "")]),
        ("3 thousand and two billion", [(3000, ""), (2e9, "")]),
        ("0·8%", [(0.8, "percent")]),
        ("0,05 mg", [(5e-5, "mass")]),
        ("1\u2009200 IU", [(1200, "units")]),
        ("12 345 patients", [(12, ""), (345, "")]),  # a plain space separates two numbers
        ("2.3 × 10−8", [(2.3e-8, "")]),
        ("2.3 x 10^-2", [(2.3e-2, "")]),
        ("50 × 10⁹/L", [(5e10, "1/volume")]),
        ("50 x 109/L and 1.5 x 10(9)/L", [(5e10, "1/volume"), (1.5e9, "1/volume")]),
        ("10^6 cells", [(1e6, "")]),
        ("1e-8 of 4E3", [(1e-8, ""), (4e3, "")]),
        ("four and a half minutes, 1½ hours", [(270, "time"), (5400, "time")]),
        ("one and three quarters hours", [(6300, "time")]),
        ("one and a quarter hours, 2¼ h, 2¾ h", [(4500, "time"), (8100, "time"), (9900, "time")]),
        ("10⁶ cells, 10⁻² of them", [(1e6, ""), (1e-2, "")]),
        # signs
        ("−3.5 points", [(-3.5, "")]),
        ("(-3.5)", [(-3.5, "")]),
        ("– 3.5 points", [(3.5, "")]),  # a dash between words
        ("a change of − 3.5 kg and (− 2 kg)", [(3500, "mass"), (-2000, "mass")]),
        ("-1 to -5", [(-1, ""), (-5, "")]),
        ("from 3-5 to −5–−3", [(3, ""), (5, ""), (-5, ""), (-3, "")]),
        ("12 -18 months", [(12 * MONTH, "time"), (18 * MONTH, "time")]),
        ("3 -5 months", [(3 * MONTH, "time"), (5 * MONTH, "time")]),
        ("CI −0.28;−0.10", [(-0.28, ""), (-0.1, "")]),
        # units
        ("250 mg", [(0.25, "mass")]),
        ("50mg", [(0.05, "mass")]),
        ("5-year survival", [(5 * YEAR, "time")]),
        ("5 μg = 5 µg", [(5e-6, "mass"), (5e-6, "mass")]),
        ("5 mM and 5 mm", [(5e-3, "amount/volume"), (5e-3, "length")]),
        ("38.5 °C", [(38.5, "temperature")]),
        ("98.6 °F", [(37, "temperature")]),
        ("37 degrees Celsius, 37º C", [(37, "temperature"), (37, "temperature")]),
        ("120/80 mmHg", [(120 * 133.322387415, "pressure"), (80 * 133.322387415, "pressure")]),
        ("1.5 mg/dL", [(0.015, "mass/volume")]),
        ("5 mg per kilogram a day", [(5e-6 / DAY, "mass/mass/time")]),
        ("3 beats a minute, 3 beats/min, 3 bpm", [(0.05, "1/time")] * 3),
        ("12 for every 1,000 person-years", [(12 / 1000 / YEAR, "1/person-time")]),
        ("12 per 1,000 births", [(1.2, "percent")]),
        ("2 Gy and 1000 IU and 4 mEq/L", [(2, "absorbed dose"), (1000, "units"), (4e-3, "equivalents/volume")]),
        ("10 kcal, 10 kJ", [(41_840, "energy"), (10_000, "energy")]),
        ("a two-fold rise, 2-fold, two times", [(2, "fold")] * 3),
        ("five post-operative days and 6 consecutive weeks", [(5 * DAY, "time"), (6 * WEEK, "time")]),
        ("10 more minutes", [(600, "time")]),
        ("160 day-old ducklings", [(160, "")]),
        ("a 160-day-old duckling", [(160 * DAY, "time")]),
        # units that stand with another number
        ("6, 12 and 24 months", [(6 * MONTH, "time"), (12 * MONTH, "time"), (24 * MONTH, "time")]),
        ("12-18 months", [(12 * MONTH, "time"), (18 * MONTH, "time")]),
        ("5 mg-10 mg, 2 h−4 h", [(5e-3, "mass"), (0.01, "mass"), (7200, "time"), (14_400, "time")]),
        ("29.3 v 41.4%", [(29.3, "percent"), (41.4, "percent")]),
        ("26.8 ± 5.7 (mean ± SD) s", [(26.8, "time"), (5.7, "time")]),
        ("3.2 (2.4 to 4.5) mg", [(3.2e-3, "mass"), (2.4e-3, "mass"), (4.5e-3, "mass")]),
        ("by the age of 80, 44%", [(80 * YEAR, "time"), (44, "percent")]),
        ("weeks 4, 8 and 12", [(4 * WEEK, "time"), (8 * WEEK, "time"), (12 * WEEK, "time")]),
        ("at week 12, on day 1, hour 24", [(12 * WEEK, "time"), (DAY, "time"), (DAY, "time")]),
        ("in 5 days 12 patients", [(5 * DAY, "time"), (12, "")]),
        ("aged 25-65", [(25 * YEAR, "time"), (65 * YEAR, "time")]),
        ("at age 65, aged 6 to 12 months", [(65 * YEAR, "time"), (6 * MONTH, "time"), (12 * MONTH, "time")]),
        ("34+0 weeks", [(34 * WEEK, "time")]),
        ("2, 3, and 6 months", [(2 * MONTH, "time"), (3 * MONTH, "time"), (6 * MONTH, "time")]),
        ("36 to 38 °C", [(36, "temperature"), (38, "temperature")]),
        ("5 and 2:1", [(5, ""), (2, "ratio")]),
        ("12 or half of them", [(12, ""), (50, "percent")]),
        ("mean age 45.5, week 1.5", [(45.5 * YEAR, "time"), (1.5 * WEEK, "time")]),
        ("3 of 5.5, 36 of 18", [(3, ""), (5.5, ""), (36, ""), (18, "")]),
        ("0 of 10", [(0, "percent"), (0, ""), (10, "")]),
        ("0/10", [(0, "percent"), (0, ""), (10, "")]),
        ("1/2", [(50, "percent"), (1, ""), (2, "")]),
        ("3/25", [(12, "percent"), (3, ""), (25, "")]),
        ("0.5 or 18 of 36", [(0.5, ""), (50, "percent"), (18, ""), (36, "")]),
        ("12 or seven in ten", [(12, ""), (70, "percent"), (7, ""), (10, "")]),
        ("5 or 18 of 36", [(5, ""), (50, "percent"), (18, ""), (36, "")]),
        # words
        ("it doubled, twice the dose, tripled", [(2, "fold"), (2, "fold"), (3, "fold")]),
        ("half of them, halved, two thirds, a quarter", [(50, "percent"), (50, "percent"), (200 / 3, "percent"),
                                                         (25, "percent")]),
        ("three quarters, four-fifths of", [(75, "percent"), (80, "percent")]),
        ("half an hour, half a year, an hour and a half", [(1800, "time"), (YEAR / 2, "time")]),
        ("after a year, over an hour", [(YEAR, "time"), (3600, "time")]),
        ("double-blind, half-life, first half, a third dose, doubling time", []),
        ("one in five", [(20, "percent"), (5, "")]),
        ("one in two", [(50, "percent"), (2, "")]),
        ("one person in a hundred", [(1, "percent"), (100, "")]),
        ("18 of 36", [(50, "percent"), (18, ""), (36, "")]),
        ("108/120", [(90, "percent"), (108, ""), (120, "")]),
        ("seven of ten", [(70, "percent"), (7, ""), (10, "")]),
        ("four out of every five", [(80, "percent"), (4, ""), (5, "")]),
        ("six or seven in ten", [(6, ""), (60, "percent"), (70, "percent"), (7, ""), (10, "")]),
        ("4.2 out of 5", [(4.2, ""), (5, "")]),
        ("twenty-five of the 240", [(25 / 2.4, "percent"), (25, ""), (240, "")]),
        ("half of the men and a third of the women", [(50, "percent"), (100 / 3, "percent")]),
        ("a half-hour session", [(1800, "time")]),
        ("one third dose, a quarter dose, two thirds dose", [(25, "percent"), (200 / 3, "percent")]),
        ("after an hour and a half", [(5400, "time")]),
        ("six out of five", [(6, ""), (5, "")]),
        ("fourfold, fivefold, sixfold, sevenfold", [(4, "fold"), (5, "fold"), (6, "fold"), (7, "fold")]),
        ("eightfold, ninefold, tenfold", [(8, "fold"), (9, "fold"), (10, "fold")]),
        # dosing
        ("once daily", [(1 / DAY, "1/time")]),
        ("twice a day, BID, b.i.d., two times daily", [(2 / DAY, "1/time")] * 4),
        ("TID, three times per day, thrice daily", [(3 / DAY, "1/time")] * 3),
        ("QID and QD", [(4 / DAY, "1/time"), (1 / DAY, "1/time")]),
        ("q8h, every 8 hours, every eight hours, 8-hourly", [(3 / DAY, "1/time")] * 4),
        ("every other day, on alternate days, QOD", [(0.5 / DAY, "1/time")] * 3),
        ("3x/week, 3 sessions per week, three-times-weekly", [(3 / WEEK, "1/time")] * 3),
        ("five days a week", [(5 / WEEK, "1/time")]),
        ("2-3 times a week", [(2 / WEEK, "1/time"), (3 / WEEK, "1/time")]),
        ("every alternate day", [(0.5 / DAY, "1/time")]),
        ("every second day, every third week", [(1 / (2 * DAY), "1/time"), (1 / (3 * WEEK), "1/time")]),
        ("q2w, q3wk and q12h", [(1 / (2 * WEEK), "1/time"), (1 / (3 * WEEK), "1/time"), (2 / DAY, "1/time")]),
        ("once an hour, once nightly, once a fortnight", [(1 / 3600, "1/time"), (1 / DAY, "1/time"),
                                                          (1 / (2 * WEEK), "1/time")]),
        ("5 mg bd, 5 mg od, 5 mg tds", [(5e-3, "mass"), (2 / DAY, "1/time"), (5e-3, "mass"), (1 / DAY, "1/time"),
                                        (5e-3, "mass"), (3 / DAY, "1/time")]),
        ("every ten minutes", [(1 / 600, "1/time")]),
        ("every half hour", [(1 / 1800, "1/time")]),
        ("6 mg daily", [(6e-3, "mass"), (1 / DAY, "1/time")]),
        ("30 min/day", [(1800 / DAY, "time/time")]),
        # p-values, ratios, years
        ("p<.001, P = 0.04, p value of 0.2", [(0.001, "p-value"), (0.04, "p-value"), (0.2, "p-value")]),
        ("P for trend = 0.03; p(interaction)<0.1", [(0.03, "p-value"), (0.1, "p-value")]),
        ("a ratio of 2:0", [(2, "ratio")]),
        ("randomised 2:1 and 1 : 1 or 3:2", [(2, "ratio"), (1, "ratio"), (1.5, "ratio")]),
        ("p = 2, 5s", [(2, ""), (5, "time")]),
        ("CI 95%: 1 to 2", [(95, "confidence level"), (1, ""), (2, "")]),
        ("between 2004 and 2006", [(2004, "calendar year"), (2006, "calendar year")]),
        ("10 July 2014, March 2011", [(2014, "calendar year"), (2011, "calendar year")]),
        ("2000 patients in 2010", [(2000, ""), (2010, "calendar year")]),
        ("in 1899, in 1900", [(1899, ""), (1900, "calendar year")]),
        ("in 2099, in 2100", [(2099, "calendar year"), (2100, "")]),
        ("in 2,010", [(2010, "")]),
        ("2010", [(2010, "calendar year")]),
        ("July 10, 2014", [(2014, "calendar year")]),
        ("1 July 2014, 31 July 2014", [(2014, "calendar year")] * 2),
        ("of 32 August births", [(32, "")]),
        ("they may 12, or so", [(12, "")]),
        ("gene p 0.5", [(0.5, "")]),
        ("p and then = 0.4", [(0.4, "")]),
        ("(12)-18 mg", [(12, ""), (0.018, "mass")]),
        ("grade 2.5, arm 6, arm 7", [(2.5, ""), (7, "")]),
        ("at week16 and the week-12 visit", [(16 * WEEK, "time"), (12 * WEEK, "time")]),
        ("week16 was the last", [(16 * WEEK, "time")]),
        ("from the age of the recommended 50", [(50 * YEAR, "time")]),
        ("the age of 80, aged at least 65", [(80 * YEAR, "time"), (65 * YEAR, "time")]),
        # names, ordinals and other things that are no quantities
        ("IL-6, COVID-19, SARS-CoV-2, H1N1, CD4, p53, PM2.5, TNF-α and Ca2+", []),
        ("K1 rose in K-2 and L-3 cells, and gene_2 fell", []),
        ("version 2.1.3", [(2.1, "")]),
        ("type 2 diabetes, stage IV, phase 3, grade 3-4, phase 1/2, arm 2, group 1", []),
        ("in the control arm 2 patients died", [(2, "")]),
        ("5-fluorouracil, 25(OH)D, 25-hydroxyvitamin D, 16S rRNA, 5-HT, 5′", []),
        ("the 99th percentile, 2nd", []),
        ("at 8:00, 10 am, 9:30 p.m.", []),
        ("the 1980s, the 1900s", []),
        ("U.S. in 2010 U.S. elections", [(2010, "calendar year")]),
        ("100 T cells, a 3 T scanner", [(100, ""), (3, "magnetic field")]),
        ("five molars and 7 US hospitals", [(5, ""), (7, "")]),
        ("iron per 100 g", []),
        ("per 100 g it rose", []),
        ("a 12-item scale of 100 points", [(12, ""), (100, "")]),
        ("one of the two groups in a 3-arm trial", []),
        ("two inhaler regimens, three oral agents", []),
        ("two of the regimens", [(2, "")]),
        ("the two sessions, four groups", []),
        ("five groups, at least two groups", [(5, ""), (2, "")]),
        ("", []),
    ],
)  # fmt: skip
def test_quantities(text, found):
    assert told(text) == approx(found)


@pytest.mark.parametrize(
    ("text", "comparator", "approximate"),
    [
        ("more than 30%", ">", False),
        ("above 30%", ">", False),
        (">30%", ">", False),
        ("at least 30%", "≥", False),
        ("≥ 30%", "≥", False),
        ("no fewer than 30 women", "≥", False),
        ("a minimum of 30 women", "≥", False),
        ("30 years or older", "≥", False),
        ("30 weeks of gestation or more", "≥", False),
        ("30+ years", "≥", False),
        ("less than 30%", "<", False),
        ("under 30 kg", "<", False),
        ("no more than 30%", "≤", False),
        ("≤30%", "≤", False),
        ("30 kg or less", "≤", False),
        ("over 30 months", "over", False),
        ("more than half", ">", True),
        ("about 30%", "", True),
        ("after about an hour", "", True),
        ("~30%", "", True),
        ("just under 30%", "", True),
        ("slightly more than 30%", "", True),
        ("nearly a third", "", True),
        ("more than about 30%", ">", True),
        ("more than the 30% on placebo", "", False),
        ("about the 30%", "", True),
        ("30%", "", False),
        ("of 30%", "", False),
    ],
)
def test_what_the_words_around_a_number_say(text, comparator, approximate):
    (quantity,) = (found for found in quantities(text) if not found.implicit)
    assert (quantity.comparator, quantity.approximate) == (comparator, approximate)


@pytest.mark.parametrize(
    ("text", "step"),
    [("12%", 1), ("12.3%", 0.1), ("12.30%", 0.01), ("1,200 g", 1), ("1.2 kg", 100), ("1.2 million", 1e5),
     ("2 million", 1e6), ("1.2 thousand", 100), ("two thousand", 1), ("two million", 1e6),
     ("3 hundred", 1), ("twelve", 1), ("5 x 10^3", 1e3), ("4½ s", 0.5)],
)  # fmt: skip
def test_the_step_is_what_the_last_figure_is_worth(text, step):
    assert quantities(text)[0].step == pytest.approx(step)


@pytest.mark.parametrize(
    ("text", "per_day"),
    [
        ("5 mg BID", 2),
        ("5 mg of apixaban by mouth twice daily", 2),
        ("10 or 5 mg once daily", 1),
        ("5 mg", 0),
        ("5 mg, and 10 mg twice daily", 0),
        ("5 mg for pain and twice daily for fever", 0),
        ("5 mg oral 30 women", 0),
        ("10 mg weekly", 1 / 7),
        ("10 mg every 12 hours", 2),
    ],
)
def test_a_dose_knows_how_often_it_is_taken(text, per_day):
    assert quantities(text)[0].per_day == pytest.approx(per_day)


@pytest.mark.parametrize(
    ("text", "implied"),
    [
        ("activities of daily living", [(1 / DAY, "1/time")]),
        ("weekly injections, every week", [(1 / WEEK, "1/time")] * 2),
        ("on the third day", [(3 * DAY, "time")]),
        ("at the 1st, 2nd and 4th hours", [(3600, "time"), (7200, "time"), (14_400, "time")]),
        ("5 mg/day", [(1 / DAY, "1/time")]),
        ("5 mL/h", []),
        ("6 consecutive days per month", [(6 * DAY, "time")]),
        ("one of the two groups", [(1, ""), (2, "")]),
        ("the three sessions", [(3, "")]),
        ("after the three sessions", [(3, "")]),
        ("three sessions", []),
    ],
)
def test_what_a_text_implies_is_marked(text, implied):
    found = [(quantity.value, quantity.dimension) for quantity in quantities(text) if quantity.implicit]
    assert found == approx(implied)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("mean age (years) 45", {"year"}),
        ("rates (%)", {"percent"}),
        ("the proportions were .4 and .5", {"percent"}),
        ("delay (weeks) was 4", {"week"}),
        ("seizures per month fell", {"per month"}),
        ("age 45", {"year"}),
        ("iron (mg tablets) 5", set()),
        ("pain fell", set()),
    ],
)
def test_units_apart_from_their_numbers(text, units):
    rate = units & {"per month"}
    found = unattached_units(text)
    rates = [unit.factor for unit in found if unit.dimension == "1/time"]
    assert {unit for unit in found if unit.dimension != "1/time"} == {NAMES[name] for name in units - rate}
    assert rates == ([pytest.approx(1 / MONTH)] if rate else [])


@pytest.mark.parametrize(
    ("word", "parts"),
    [("half", 2), ("third", 3), ("quarter", 4), ("fourth", 4), ("fifth", 5), ("sixth", 6), ("seventh", 7),
     ("eighth", 8), ("ninth", 9), ("tenth", 10)],
)  # fmt: skip
def test_fractions_in_words(word, parts):
    assert told(f"one {word} of them") == [(pytest.approx(100 / parts), "percent")]
    if parts > 2:
        assert told(f"two {word}s of them") == [(pytest.approx(200 / parts), "percent")]
    (found,) = quantities(f"one {word} of them")
    assert (found.step, found.in_words, found.approximate) == (0, True, True)


@pytest.mark.parametrize(
    ("word", "place"),
    [("first", 1), ("second", 2), ("third", 3), ("fourth", 4), ("fifth", 5), ("sixth", 6), ("seventh", 7),
     ("eighth", 8), ("ninth", 9), ("tenth", 10), ("twelfth", 12), ("21st", 21)],
)  # fmt: skip
def test_ordinals_of_times_are_implied(word, place):
    (found,) = quantities(f"on the {word} day")
    assert (found.value, found.dimension, found.implicit) == (place * DAY, "time", True)
    assert quantities(f"the {word} patient") == []


@pytest.mark.parametrize(
    ("word", "seconds"),
    [("hourly", 3600), ("daily", DAY), ("nightly", DAY), ("weekly", WEEK), ("fortnightly", 2 * WEEK),
     ("monthly", MONTH), ("yearly", YEAR), ("annually", YEAR), ("annual", YEAR), ("a week", WEEK),
     ("every night", DAY)],
)  # fmt: skip
def test_rhythms_are_implied(word, seconds):
    (found,) = quantities(f"seen {word} here")
    assert (found.value, found.dimension, found.implicit) == (pytest.approx(1 / seconds), "1/time", True)


def test_parts_and_words_are_kept():
    share, eighteen, _ = quantities("18 of 36")
    assert share.parts == (18, 36)
    assert not share.in_words
    assert not share.approximate
    assert not eighteen.parts
    assert not quantities("18 out of 36")[0].in_words
    assert quantities("one in 36")[0].in_words
    worded = quantities("one in five")[0]
    assert worded.parts == (1, 5)
    assert worded.in_words
    assert worded.approximate


def test_what_is_told_in_one_word_is_worth_one_step_of_its_own_unit():
    (doubled,) = quantities("it doubled")
    assert (doubled.value, doubled.step, doubled.factor) == (2, 1, 1)


@pytest.mark.parametrize("text", ["taken twice daily", "half an hour", "18 of 36"])
def test_rhythms_parts_of_an_hour_and_shares_are_exact(text):
    assert quantities(text)[0].step == 0


def test_a_unit_before_its_number_is_a_part_of_what_is_written():
    assert quantities("week 4")[0].written == "week 4"


def test_a_shared_unit_is_marked():
    assert [quantity.shared for quantity in quantities("12-18 months")] == [True, False]
    assert [quantity.shared for quantity in quantities("98 to 100 °F")] == [True, False]
    assert quantities("98 to 100 °F")[0].value == pytest.approx((98 - 32) / 1.8)


@given(st.text(max_size=200))
def test_any_text_can_be_read_and_spans_index_it(text):
    for quantity in quantities(text):
        assert 0 <= quantity.start < quantity.end <= len(text)
        assert text[quantity.start : quantity.end] == quantity.written


_PIECES = st.sampled_from(
    (
        "5 12 1,200 0·8 .05 − - – ± of in per / % mg kg/m2 mmHg °F °C hours a the half twice daily BID q8h every one"
        " two hundred third third-day (95% CI ) , ; : p< p = ≥ about more than × 10^ ⁹ × 10−8 million (n = week 12 age"
        " 65 2010 July ½"
    ).split()
)


@given(st.lists(_PIECES, max_size=14), st.sampled_from([" ", "", "  "]))
def test_text_full_of_quantities_can_be_read(pieces, gap):
    text = gap.join(pieces)
    for quantity in quantities(text):
        assert text[quantity.start : quantity.end] == quantity.written
        assert quantity.step >= 0
        assert quantity.factor > 0
        assert quantity.value == quantity.value  # not NaN


@given(
    st.decimals(min_value="0.01", max_value="99999", places=2),
    st.sampled_from([("mg", "g"), ("µg", "mg"), ("mL", "dL"), ("weeks", "days"), ("kcal", "kJ"), ("kPa", "mmHg"),
                     ("mg/dL", "g/L"), ("lb", "kg"), ("mmol/L", "µmol/mL"), ("min", "h")]),
)  # fmt: skip
def test_conversions_agree_with_pint(number, units):
    registry = pint.get_application_registry()
    for unit in units:
        (ours,) = quantities(f"{number} {unit}")
        (one,) = quantities(f"1 {units[0]}")
        theirs = registry.Quantity(float(number), unit).to(units[0]).magnitude
        assert ours.value / one.value == pytest.approx(theirs, rel=1e-7)
        assert ours.dimension == one.dimension


@given(st.integers(1, 10**8), st.sampled_from(["mg", "%", "weeks", "mmHg", "mL/min", "IU/kg"]))
def test_a_number_is_itself_with_and_without_separators(number, unit):
    (plain,), (separated,) = quantities(f"x {number} {unit}"), quantities(f"x {number:,} {unit}")
    assert (plain.value, plain.dimension, plain.step) == (separated.value, separated.dimension, separated.step)
    (more,) = quantities(f"x {number + 1:,} {unit}")
    assert more.value > plain.value


@given(st.integers(1, 99_999))
def test_a_mass_is_itself_in_another_unit(milligrams):
    (first,), (second,) = quantities(f"{milligrams:,} mg"), quantities(f"{milligrams / 1000:.3f} g")
    assert first.value == pytest.approx(second.value)
    assert first.step == pytest.approx(second.step)


@given(st.integers(1, 999_999), st.integers(0, 99))
def test_a_minus_sign_turns_a_number_round(whole, cents):
    (positive,), (negative,) = quantities(f"by {whole}.{cents:02} kg"), quantities(f"by −{whole}.{cents:02} kg")
    assert negative.value == -positive.value


_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen".split()
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number - 1]
    return _TENS[number // 10 - 2] + (f"-{_ONES[number % 10 - 1]}" if number % 10 else "")


def in_words(number: int, joint: str) -> str:
    """A number below a million in words."""
    thousands, rest = divmod(number, 1000)
    if thousands:
        return f"{in_words(thousands, joint)} thousand" + (f" {in_words(rest, joint)}" if rest else "")
    hundreds, rest = divmod(rest, 100)
    if hundreds:
        return f"{_ONES[hundreds - 1]} hundred" + (f"{joint}{below_hundred(rest)}" if rest else "")
    return below_hundred(rest)


@given(st.integers(2, 999_999), st.sampled_from([" and ", " "]))
def test_numbers_in_words(number, joint):
    words = in_words(number, joint)
    (found,) = quantities(f"{words} women")
    assert (found.value, found.in_words, found.written) == (number, True, words)


def test_a_text_is_read_once():
    text = "a text that is read twice: 5 mg"
    assert parsed_quantities(text) is parsed_quantities(text)
