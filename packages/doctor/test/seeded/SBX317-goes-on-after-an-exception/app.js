process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.message}\n`);
});
