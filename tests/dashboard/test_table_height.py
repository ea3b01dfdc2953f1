import tomllib
from pathlib import Path

from metalm.dashboard.table_height import ROW, table_height


def test_a_row_is_as_high_as_the_font_of_the_theme_makes_it():
    config = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    assert round(2.1875 * config["theme"]["baseFontSize"]) == ROW


def test_a_table_shows_all_its_rows_or_half_of_one_that_says_there_are_more():
    assert table_height(3) == table_height(12) == "content"
    assert table_height(13) == table_height(1000) == 13 * ROW + ROW // 2
    assert table_height(13, 20) == "content"
