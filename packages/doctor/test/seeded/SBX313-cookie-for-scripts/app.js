import express from 'express';

export const app = express();
app.get('/', (req, res) => res.cookie('sid', '1', { httpOnly: false, secure: true }).end());
