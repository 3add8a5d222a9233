/** Who signs in to every server of the bench, and with what its tokens and cookies are signed. */
export const SECRET = 'a-secret-of-the-bench-that-is-long-enough';
export const SUBJECT = 'u_1';
export const EMAIL = 'bench@example.com';
export const ROLES = ['admin', 'user'];
export const LOGIN_AT = 1_700_000_000_000;
