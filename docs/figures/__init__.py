"""One module a chapter; a figure is a function that returns a Matplotlib figure."""
