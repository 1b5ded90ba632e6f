"""Studies: experiments of many training runs, each a small file, with their reports."""
