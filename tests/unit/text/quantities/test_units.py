"""Units: every factor is compared with pint's definitions; compound units were worked out by hand."""

import pint
import pytest

from llama_index_medqa.text.quantities.units import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    NAMES,
    PREFIX_WORDS,
    PREFIXES,
    SYMBOLS,
    YEAR,
    ZERO_FAHRENHEIT,
    Unit,
    read_rate,
    read_unit,
)

# pint's unit for the base of each dimension.
BASES = {
    "mass": "gram", "volume": "litre", "length": "metre", "amount": "mole", "amount/volume": "mole/litre",
    "time": "second", "units": "IU", "equivalents": "Eq", "osmoles": "Osm", "absorbed dose": "gray",
    "dose equivalent": "sievert", "radioactivity": "becquerel", "energy": "joule", "power": "watt",
    "voltage": "volt", "current": "ampere", "magnetic field": "tesla", "1/time": "1/second", "pressure": "pascal",
    "molecular mass": "dalton", "force": "newton", "percent": "percent", "parts": "dimensionless",
    "fold": "dimensionless", "person-time": "second", "sound level": "sound", "diopters": "diopter",
    "angle": "degree", "temperature": "delta_degree_Celsius",
}  # fmt: skip
# Names that pint does not know, by its own names for the same.
ALIASES = {
    "%": "percent", "per cent": "percent", "pct": "percent", "percentage point": "percent",
    "percentage points": "percent", "‰": "0.1 percent", "fold": "dimensionless", "times": "dimensionless",
    "sec": "second", "secs": "second", "msec": "ms", "mins": "minute", "hr": "hour", "hrs": "hour", "d": "day",
    "night": "day", "nights": "day", "wk": "week", "wks": "week", "mo": "month", "mos": "month", "y": "year",
    "yr": "year", "yrs": "year", "decade": "10 year", "decades": "10 year", "person year": "year",
    "person years": "year", "person month": "month", "person months": "month", "person day": "day",
    "person days": "day", "mcg": "microgram", "gm": "gram", "gms": "gram", "lbs": "pound", "ccs": "cc",
    "mmhg": "mmHg", "cmh2o": "cmH2O", "unit": "IU", "units": "IU", "international units": "IU", "bpm": "1/minute",
    "db": "sound",
    "decibel": "sound", "decibels": "sound",
    "dioptre": "diopter", "dioptres": "diopter", "°": "degree", "°c": "delta_degree_Celsius",
    "℃": "delta_degree_Celsius", "degrees c": "delta_degree_Celsius", "degrees celsius": "delta_degree_Celsius",
    "degrees centigrade": "delta_degree_Celsius", "°f": "delta_degree_Fahrenheit", "℉": "delta_degree_Fahrenheit",
    "degrees f": "delta_degree_Fahrenheit", "degrees fahrenheit": "delta_degree_Fahrenheit",
    "millimolar": "mM", "micromolar": "µM", "nanomolar": "nM", "Kg": "kg", "KG": "kg", "MG": "mg", "ML": "mL",
    "Ml": "mL", "CM": "cm", "Kcal": "kcal", "KJ": "kJ", "iu": "IU", "meq": "mEq", "mosm": "mOsm", "mosmol": "mOsm",
    "osmol": "Osm", "hz": "hertz", "Khz": "kHz", "kpa": "kPa", "KPa": "kPa", "KDa": "kDa", "gy": "gray",
    "mmole": "mmol", "international unit": "IU", "ppb": "1e-9 dimensionless",
}  # fmt: skip


@pytest.fixture(scope="module")
def registry() -> pint.UnitRegistry:
    """pint, and the units that it lacks; a U of insulin or of heparin is an IU, which is not pint's U of enzymes."""
    made = pint.UnitRegistry(on_redefinition="ignore")
    for definition in (
        "biological_unit = [biological] = IU", "equivalent = [charge_amount] = Eq",
        "osmole = [osmotic_amount] = Osm", "sound_level = [sound] = sound", "diopter = 1/metre",
    ):  # fmt: skip
        made.define(definition)
    return made


def pint_name(name: str) -> str:
    for ours, theirs in (("gramme", "gram"), ("amp", "ampere"), ("osmol", "Osm")):
        if name.endswith((ours, ours + "s")):
            return name.removesuffix("s").removesuffix(ours) + theirs
    if name.endswith("U") and not name.endswith("IU"):
        return name.removesuffix("U") + "IU"
    return ALIASES.get(name, name)


@pytest.mark.parametrize("table", [SYMBOLS, NAMES], ids=["symbols", "names"])
def test_every_factor_is_that_of_pint(table, registry):
    ours = {name: unit.factor for name, unit in table.items()}
    theirs = {
        name: (registry(pint_name(name)) * registry.Quantity(1, "dimensionless")).to(BASES[unit.dimension]).magnitude
        for name, unit in table.items()
    }
    # By ratio: pytest.approx takes any two numbers below 1e-12 for equal, and a femtogram is 1e-15.
    assert {name: factor / theirs[name] for name, factor in ours.items()} == pytest.approx(
        dict.fromkeys(ours, 1.0), rel=1e-9
    )


def test_prefixes_and_times_are_those_of_pint(registry):
    for prefix, factor in (PREFIXES | PREFIX_WORDS).items():
        joined = f"{prefix}gram" if prefix in PREFIX_WORDS else f"{prefix}g"
        assert factor / registry(joined).to("gram").magnitude == pytest.approx(1.0, rel=1e-9)
    for seconds, name in ((MINUTE, "minute"), (HOUR, "hour"), (DAY, "day"), (MONTH, "month"), (YEAR, "year")):
        assert seconds == pytest.approx(registry(name).to("second").magnitude, rel=1e-12)


def test_fahrenheit_has_another_zero(registry):
    fahrenheit = NAMES["°f"]
    for degrees in (-40.0, 0.0, 98.6, 212.0):
        expected = registry.Quantity(degrees, "degree_Fahrenheit").to("degree_Celsius").magnitude
        assert degrees * fahrenheit.factor + fahrenheit.offset == pytest.approx(expected)
    assert pytest.approx(-17.777778) == ZERO_FAHRENHEIT
    assert [name for name, unit in NAMES.items() if unit.offset] == ["°f", "℉", "degrees f", "degrees fahrenheit"]


@pytest.mark.parametrize(
    ("text", "dimension", "pint_text"),
    [
        ("mg/kg/day", "mass/mass/time", None),
        ("mg/dL", "mass/volume", "mg/dL"),
        ("mg/L", "mass/volume", "mg/L"),
        ("g/l", "mass/volume", "g/l"),
        ("µg/m³", "mass/volume", "µg/m**3"),
        ("ng per ml", "mass/volume", "ng/ml"),
        ("mg/100 mL", "mass/volume", "mg/(100 mL)"),
        ("mmol/L", "amount/volume", "mmol/L"),
        ("mM", "amount/volume", "mM"),
        ("mL/min", "volume/time", "mL/min"),
        ("mL min-1", "volume/time", "mL/min"),
        ("L·min⁻¹", "volume/time", "L/min"),
        ("cm H2O", "pressure", "cmH2O"),
        ("cm of H2O", "pressure", "cmH2O"),
        ("mm Hg", "pressure", "mmHg"),
        ("square metres", "area", "m**2"),
        ("cm2", "area", "cm**2"),
        ("mm^3", "volume", "mm**3"),
        ("cubic cm", "volume", "cm**3"),
        ("J/cm2", "energy/area", "J/cm**2"),
        ("g m-2", "mass/area", "g/m**2"),
        ("kg·m⁻²", "mass/area", "kg/m**2"),
        ("mg cm-1", "mass/length", "mg/cm"),
        ("ng·h/mL", "mass·time/volume", "ng*hour/mL"),
        ("kcal a day", "energy/time", "kcal/day"),
    ],
)
def test_compound_units(text, dimension, pint_text, registry):
    unit, end = read_unit(text, 0)
    assert (unit.dimension, end) == (dimension, len(text))
    if pint_text:
        base = {"mass/volume": "g/L", "amount/volume": "mole/L", "volume/time": "L/s", "pressure": "Pa",
                "area": "m**2", "volume": "L", "energy/area": "J/m**2", "mass/area": "g/m**2",
                "mass/length": "g/m", "mass·time/volume": "g*s/L",
                "energy/time": "J/s"}[dimension]  # fmt: skip
        assert unit.factor / registry(pint_text).to(base).magnitude == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    "other",
    ["mg per kilogram a day", "mg of morphine per kilogram per day", "mg kg-1 day-1", "mg·kg−1·d−1", "mg·kg⁻¹·day⁻¹",
     "mg/kg body weight/d", "mg/(kg·day)", "mg/day/kg"],
)  # fmt: skip
def test_a_compound_unit_is_the_same_however_it_is_written(other):
    unit, _ = read_unit(other, 0)
    first, _ = read_unit("mg/kg/day", 0)
    assert unit.dimension == first.dimension
    assert unit.factor / first.factor == pytest.approx(1.0)


def test_body_surface_is_a_part_of_the_unit():
    with_surface, end = read_unit("mL/min/1.73 m²", 0)
    assert (with_surface.dimension, end) == ("volume/area/time", 14)
    assert with_surface.factor == pytest.approx(1e-3 / 60 / 1.73)
    assert read_unit("mL/min per 1.73 m2", 0)[0].factor == pytest.approx(with_surface.factor)


@pytest.mark.parametrize(
    ("text", "dimension", "factor"),
    [
        ("/L", "1/volume", 1),
        (" cells/µL", "1/volume", 1e6),
        (" beats per minute", "1/time", 1 / 60),
        (" convulsive seizures per month", "1/time", 1 / MONTH),
        (" sessions a week", "1/time", 1 / 604_800),
        (" per 1,000 person-years", "1/person-time", 1 / (1000 * YEAR)),
        (" for every 1,000 person-years", "1/person-time", 1 / (1000 * YEAR)),
        (" deaths per 100 patient years", "1/person-time", 1 / (100 * YEAR)),
        (" per 1000 live births", "percent", 0.1),
        (" per 100,000", "percent", 1e-3),
        (" per million", "percent", 1e-4),
        (" per thousand births", "percent", 0.1),
        (" per hundred births", "percent", 1),
        (" per 100 births", "percent", 1),
    ],
)
def test_rates_of_counts(text, dimension, factor):
    unit, _ = read_rate(text, 0)
    assert unit.dimension == dimension
    assert unit.factor / factor == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["patients", "T cells", "U.S. adults", "of the", "", "mgx", "x", "molars", "Ms"])
def test_no_unit(text):
    assert read_unit(text, 0) is None


@pytest.mark.parametrize("text", ["/36", " per group", " in each arm", " a year later", "/80 mmHg", " per 5 groups"])
def test_no_rate(text):
    assert read_rate(text, 0) is None


def test_a_litre_is_no_time():
    assert read_unit("mg a litre", 0) == (SYMBOLS["mg"], 2)


def test_units_divide():
    assert Unit("mass", 2.0) / Unit("volume", 4.0) == Unit("mass/volume", 0.5)
    assert Unit("mass/volume", 1.0) / Unit("1/time", 2.0) == Unit("mass·time/volume", 0.5)
    assert Unit("mass", 3.0) * Unit("time", 2.0) == Unit("mass·time", 6.0)
