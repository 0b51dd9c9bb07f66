"""
The reporter that ``trial --reporter=counting`` means.
"""

from twisted.plugins.twisted_trial import _Reporter

Counting = _Reporter(
    "Counting Reporter",
    "counting_reporter",
    description="names the failing tests, and ends with 'N passed, N failed, N skipped'",
    longOpt="counting",
    shortOpt=None,
    klass="CountingReporter",
)
