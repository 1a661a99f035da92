/** The configuration or the call is wrong, or a port is taken. */
export const EXIT_USAGE = 2;
