import type { z } from 'zod';

interface Definition {
  type: string;
  innerType?: z.core.$ZodType;
  in?: z.core.$ZodType;
  out?: z.core.$ZodType;
  element?: z.core.$ZodType;
  valueType?: z.core.$ZodType;
  shape?: Record<string, z.core.$ZodType>;
}

/** The names an object may have at a path of a schema, for suggestions; [] where names are free. */
export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const definition = schema._zod.def as Definition;
  switch (definition.type) {
    case 'object': {
      const [first, ...rest] = path;
      if (first === undefined) return Object.keys(definition.shape ?? {});
      const inner = definition.shape?.[String(first)];
      return inner ? knownKeys(inner, rest) : [];
    }
    case 'array':
      return definition.element && path.length ? knownKeys(definition.element, path.slice(1)) : [];
    case 'record':
      return definition.valueType && path.length ? knownKeys(definition.valueType, path.slice(1)) : [];
    case 'pipe': {
      // A preprocessed value: the schema behind it says what is allowed.
      const inner = definition.out ?? definition.in;
      return inner ? knownKeys(inner, path) : [];
    }
    default:
      return definition.innerType ? knownKeys(definition.innerType, path) : [];
  }
}
