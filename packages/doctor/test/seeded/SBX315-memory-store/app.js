import session from 'express-session';

export const sessions = session({ secret: process.env.SESSION_SECRET, resave: false });
