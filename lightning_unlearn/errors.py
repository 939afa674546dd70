"""What can go wrong, by what the user can do about it."""


class UnlearningError(Exception):
    """Base of every error that this package raises on purpose.

    Example:
        >>> from lightning_unlearn import ConfigurationError, UnlearningError
        >>> issubclass(ConfigurationError, UnlearningError)
        True
    """


class ConfigurationError(UnlearningError, ValueError):
    """An argument, a loader, a module or a Trainer does not fit; the message names it and the remedy.

    Raised before the first step, with all misfits that could be found, one a line.

    Example:
        >>> from lightning_unlearn import ConfigurationError, GradientSurgery
        >>> try:
        ...     GradientSurgery(alpha=-1.0)
        ... except ConfigurationError as error:
        ...     print(error)
        `alpha` must be a finite, non-negative number, found -1.0.
    """
