/** HTTP requests as the web platform makes them: browsers, and Node too. Tests bring their own. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The platform's own. */
export const browserFetch: Fetch = (url, init) => fetch(url, init);
