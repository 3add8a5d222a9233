import session from 'cookie-session';

export const sessions = session({ secret: 'a-secret-in-the-source' });
