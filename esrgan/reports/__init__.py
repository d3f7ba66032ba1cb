"""Results for people: tables, sheets, pages, plots, each written in one place."""
