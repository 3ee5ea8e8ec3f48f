// SPDX-License-Identifier: GPL-2.0-or-later
// A service in Node.js: a table in memory; for each line "SECONDS" on stdin it works so long and prints its operations.
'use strict';
const readline = require('readline');
const ROWS = 200000;
const table = [];
const index = new Map();

for (let n = 0; n < ROWS; n++) {
	const row = { name: `customer ${n}`, city: `city ${n % 977}`, tags: [n % 7, n % 11], text: 'x'.repeat(n % 97) };
	table.push(row);
	if (!index.has(row.city))
		index.set(row.city, []);
	index.get(row.city).push(n);
}
console.log('ready');

readline.createInterface({ input: process.stdin }).on('line', (line) => {
	const end = Date.now() + 1000 * Number(line);
	let operations = 0;
	while (Date.now() < end) {
		for (let i = 0; i < 100; i++) {
			const row = table[Math.floor(Math.random() * ROWS)];
			row.seen = JSON.stringify(index.get(row.city).slice(0, 20));
		}
		operations += 100;
	}
	console.log(operations);
});
