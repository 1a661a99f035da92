/** The configuration or the call is wrong, or a port is taken. */
export const EXIT_USAGE = 2;

/** `check --connect` found errors, or could not ask a server. */
export const EXIT_ERRORS = 2;

/** `check --connect` found warnings, and no error. */
export const EXIT_WARNINGS = 1;
