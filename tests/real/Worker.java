// SPDX-License-Identifier: GPL-2.0-or-later
// A service in Java: a table in memory; for each line "SECONDS" on stdin it works so long and prints its operations.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

public class Worker {
	static final int ROWS = 300_000;

	static class Row {
		String name, city, text, seen;
	}

	public static void main(String[] arguments) throws Exception {
		List<Row> table = new ArrayList<>();
		Map<String, List<Integer>> index = new HashMap<>();
		for (int n = 0; n < ROWS; n++) {
			Row row = new Row();
			row.name = "customer " + n;
			row.city = "city " + n % 977;
			row.text = "x".repeat(n % 97);
			table.add(row);
			index.computeIfAbsent(row.city, c -> new ArrayList<>()).add(n);
		}
		System.gc();
		System.out.println("ready");

		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		SplittableRandom random = new SplittableRandom();
		for (String line = in.readLine(); line != null; line = in.readLine()) {
			long end = System.nanoTime() + (long) (1e9 * Double.parseDouble(line)), operations = 0;
			while (System.nanoTime() < end) {
				for (int i = 0; i < 100; i++) {
					Row row = table.get(random.nextInt(ROWS));
					row.seen = index.get(row.city).subList(0, 20).toString();
				}
				operations += 100;
			}
			System.out.println(operations);
		}
	}
}
