import { listen } from '@signalbox/testing';

const url = await listen((_req, res) => res.end('hello'));
console.log(await (await fetch(url)).text());
