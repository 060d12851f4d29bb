"""The manual's configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "sansio-cache"
author = "the sansio-cache developers"
project_copyright = "2026, the sansio-cache developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "readable"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
highlight_language = "text"  # what a program prints is not Python
html_theme = "furo"
# The figures are a part of the page on performance, not a page.
exclude_patterns = ["_build", "_extensions", "topics/figures.md"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
suppress_warnings = ["myst.xref_missing"]
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_theme_options = {
    "light_css_variables": {"code-font-size": "0.775rem"}
}  # dark pages take them too
