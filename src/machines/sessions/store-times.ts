/** What stands in the place of a store's time where it says none. */

/** After the delay that the kind says. */
export const asKindSays = -1;

/** At once, and the delivery does not count: nobody has seen the session. */
export const notHandled = -2;
