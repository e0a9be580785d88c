/**
 * Paths of the fields of `data` that `read` never looks at. A validator compiled from a schema looks at every field that
 * the schema knows and passes over the rest, even where the schema allows the rest.
 */
export function fieldsNotRead(data: object, read: (watched: object) => void): string[] {
  const seen = new Set<string>();
  read(watch(data, [], seen));
  return fields(data, []).filter((path) => !seen.has(path));
}

function watch<T extends object>(target: T, path: readonly string[], seen: Set<string>): T {
  return new Proxy(target, {
    get(_, key) {
      const value = Reflect.get(target, key);
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return value;
      const here = [...path, key];
      seen.add(here.join('.'));
      return typeof value === 'object' && value !== null ? watch(value, here, seen) : value;
    },
  });
}

/** Every field, those that hold others too. */
function fields(value: object, path: readonly string[]): string[] {
  return Object.entries(value).flatMap(([key, child]) => {
    const here = [...path, key];
    return [here.join('.'), ...(typeof child === 'object' && child !== null ? fields(child, here) : [])];
  });
}
