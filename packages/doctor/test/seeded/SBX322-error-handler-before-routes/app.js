import express from 'express';

export const app = express();
app.use((error, req, res, next) => res.status(500).end(next && ''));
app.get('/items', (req, res) => res.json([]));
