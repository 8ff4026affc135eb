"""The report of a model: one page of HTML that asks for nothing from anywhere."""

from jdl.report.report import report

__all__ = ["report"]
