"""Parts of a page that Streamlit lacks, each a function beside the JavaScript that it mounts.

chart           a plotly figure that follows the theme and keeps the reader's zoom while its data change
figure_parts    what a browser lacks of a figure that has changed
character_view  a text whose characters are coloured by their bits, with a slider over adaptation steps
bell            rings in the page when work has ended, in one tab of a browser
assets          plotly.js, served from the installed plotly wheel
"""
