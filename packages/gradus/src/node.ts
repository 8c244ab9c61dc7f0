// What Gradus offers in Node only: files.

export {};
