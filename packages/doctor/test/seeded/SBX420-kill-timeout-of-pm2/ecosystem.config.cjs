module.exports = { apps: [{ name: 'app', script: 'dist/main.js' }] };
