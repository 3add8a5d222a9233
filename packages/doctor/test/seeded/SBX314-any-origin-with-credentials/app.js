import cors from 'cors';

export const shared = cors({ origin: true, credentials: true });
