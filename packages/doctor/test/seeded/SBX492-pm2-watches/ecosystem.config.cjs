module.exports = { apps: [{ name: 'app', script: 'dist/main.js', watch: true }] };
