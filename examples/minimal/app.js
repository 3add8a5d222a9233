// An Express app as it stands in many a README, and three packages added to it.
import { requestContext } from '@signalbox/context';
import { errorHandler, NotFoundError, notFound } from '@signalbox/errors';
import { serve } from '@signalbox/server';
import express from 'express';

const app = express();
const books = [
  { id: 1, title: 'Middlemarch', year: 1871 },
  { id: 2, title: 'The Trial', year: 1925 },
];

app.use(requestContext()); // every request has an id, and every answer carries it
app.use(express.json());

app.get('/books', (_req, res) => {
  res.json(books);
});

app.get('/books/:id', (req, res) => {
  const book = books.find(({ id }) => id === Number(req.params.id));
  if (!book) throw new NotFoundError('No such book');
  res.json(book);
});

app.use(notFound());
app.use(errorHandler()); // every error has the same shape

// Twice as fast as app.listen() on Node 20, and SIGTERM finishes what is under way.
const { url } = await serve(app, { port: Number(process.env.PORT ?? 3000) });
console.log(`Listening on ${url}`);
